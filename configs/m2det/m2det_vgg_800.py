_base_ = [
    '../_base_/models/m2det_vgg.py',
    '../_base_/datasets/coco_800.py',
    '../_base_/schedules/schedule_150e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    bbox_head=dict(
        anchor_generator=dict(
            input_size=800,
            sizes=[0.04, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05],
            steps=[8, 16, 32, 62, 115, 160],
        )
    )
)
