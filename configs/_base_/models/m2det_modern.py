# M2Det with what helped in our measurements (docs/results.md), over CSPNeXt: a wide
# base feature, five scales of strides 8 to 128, the paper's losses. A leaf gives its
# widths.
_base_ = './m2det_vgg.py'

model = dict(
    # As RTMDet's weights need it.
    data_preprocessor=dict(
        mean=[103.53, 116.28, 123.675],
        std=[57.375, 57.12, 58.395],
        bgr_to_rgb=False,
    ),
    backbone=dict(_delete_=True, type='CSPNeXt'),
    neck=dict(
        in_channels=None,
        num_scales=5,
        exact_strides=True,
        norm_cfg=dict(type='BN', momentum=0.1),
    ),
    bbox_head=dict(
        # Two squares a cell, and boxes of 2:1 and 1:2.
        anchor_generator=dict(
            input_size=640,
            sizes=[0.04, 0.09, 0.18, 0.36, 0.65, 0.95],
            steps=[8, 16, 32, 64, 128],
            fixed_steps=True,
            ratios=[2],
        )
    ),
    train_cfg=dict(assigner=dict(neg_iou_thr=0.35)),
)
