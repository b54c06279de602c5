# A seventh, finer scale: the grid of the base feature is that of a map of stride 4.
_base_ = './m2det_r50_320.py'

model = dict(
    backbone=dict(out_indices=(0, 1, 3)),
    neck=dict(in_channels=(256, 512, 2048), ffm_channels=(256, 256, 256), num_scales=7),
    bbox_head=dict(
        anchor_generator=dict(
            sizes=[0.04, 0.08, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05],
            steps=[4, 8, 16, 32, 64, 107, 320],
        )
    ),
)
