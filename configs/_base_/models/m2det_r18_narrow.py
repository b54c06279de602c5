# A narrow M2Det that trains from scratch on a CPU: three stages of a ResNet-18 of 24
# channels, MLFPN with 2 TUMs of 48 channels, square anchors.
_base_ = './m2det_vgg.py'

model = dict(
    data_preprocessor=dict(std=[58.395, 57.12, 57.375]),
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=18,
        base_channels=24,
        stem_channels=24,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(1, 2),
        norm_eval=False,
    ),
    neck=dict(
        in_channels=(48, 96),
        ffm_channels=(48, 48),
        num_levels=2,
        num_scales=4,
        tum_channels=48,
        norm_cfg=dict(type='BN', momentum=0.1),
    ),
    bbox_head=dict(
        anchor_generator=dict(
            input_size=128,
            sizes=[0.1, 0.2, 0.4, 0.65, 1.0],
            steps=None,
            ratios=[],
        )
    ),
    # Few images teach faster where an almost matching anchor is no negative.
    train_cfg=dict(assigner=dict(neg_iou_thr=0.35)),
)
