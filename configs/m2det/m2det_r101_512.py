_base_ = [
    '../_base_/models/m2det_r50.py',
    '../_base_/datasets/coco_512.py',
    '../_base_/schedules/schedule_150e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(depth=101, init_cfg=dict(checkpoint='torchvision://resnet101')),
    bbox_head=dict(
        anchor_generator=dict(
            input_size=512,
            sizes=[0.06, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05],
            steps=[8, 16, 32, 64, 128, 256],
        )
    ),
)
