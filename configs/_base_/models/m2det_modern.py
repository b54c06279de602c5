# M2Det of the parts that docs/training.md, losses.md and necks.md tell of: CSPNeXt,
# five scales of strides 8 to 128, a sigmoid. A leaf gives its widths.
_base_ = './m2det_vgg.py'

model = dict(
    # As RTMDet's weights need it.
    data_preprocessor=dict(
        mean=[103.53, 116.28, 123.675],
        std=[57.375, 57.12, 58.395],
        bgr_to_rgb=False,
        batch_augments=[
            dict(type='BatchSyncRandomResize', random_size_range=(480, 800))
        ],
    ),
    backbone=dict(_delete_=True, type='CSPNeXt'),
    neck=dict(
        in_channels=None,
        num_scales=5,
        use_depthwise=True,
        exact_strides=True,
        norm_cfg=dict(type='BN', momentum=0.1),
    ),
    bbox_head=dict(
        loss_cls=dict(type='QualityFocalLoss', beta=2.0),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
        # Two squares: the first has a side of four cells.
        anchor_generator=dict(
            input_size=640,
            sizes=[0.05, 0.1, 0.2, 0.4, 0.8, 1.05],
            steps=None,
            ratios=[],
        ),
    ),
    train_cfg=dict(assigner=dict(_delete_=True, type='ATSSAssigner', topk=9)),
    # A loss of quality teaches lower scores than a softmax.
    test_cfg=dict(score_thr=0.01),
)
