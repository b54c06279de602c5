_base_ = [
    '../_base_/models/m2det_vgg.py',
    '../_base_/datasets/coco_704.py',
    '../_base_/schedules/schedule_150e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    bbox_head=dict(
        anchor_generator=dict(
            input_size=704,
            sizes=[0.04, 0.11, 0.23, 0.39, 0.58, 0.80, 1.05],
            steps=[8, 16, 32, 64, 117, 176],
        )
    )
)
