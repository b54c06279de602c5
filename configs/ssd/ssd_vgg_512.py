_base_ = [
    '../_base_/models/ssd_vgg.py',
    '../_base_/datasets/coco_512.py',
    '../_base_/schedules/schedule_150e.py',
    '../_base_/default_runtime.py',
]

channels = (512, 1024, 512, 256, 256, 256, 256)
# Pixels, rounded down as in SSD's code.
sizes = (20, 51, 133, 215, 296, 378, 460, 542)
model = dict(
    neck=dict(
        out_channels=channels,
        level_strides=(2, 2, 2, 2, 1),
        level_paddings=(1, 1, 1, 1, 1),
        last_kernel_size=4,
    ),
    bbox_head=dict(
        in_channels=channels,
        anchor_generator=dict(
            input_size=512,
            sizes=[size / 512 for size in sizes],
            steps=[8, 16, 32, 64, 128, 256, 512],
            ratios=[[2], [2, 3], [2, 3], [2, 3], [2, 3], [2], [2]],
        ),
    ),
)
