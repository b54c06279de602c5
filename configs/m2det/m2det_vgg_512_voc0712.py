_base_ = [
    '../_base_/models/m2det_vgg.py',
    '../_base_/datasets/voc0712_512.py',
    '../_base_/schedules/schedule_150e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    bbox_head=dict(
        num_classes=20,
        anchor_generator=dict(
            input_size=512,
            sizes=[0.06, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05],
            steps=[8, 16, 32, 64, 128, 256],
        ),
    )
)
default_hooks = dict(checkpoint=dict(save_best='pascal_voc/mAP'))
