# MMDetection's RetinaNet with half of the convolutions and fewer channels, on the same
# backbone and data as the necks.
_base_ = '../../m2det/backbones/m2det_efficientnet-lite0_bccd.py'

model = dict(
    type='RetinaNet',
    neck=dict(
        _delete_=True,
        type='FPN',
        in_channels=[40, 112, 320],
        out_channels=96,
        add_extra_convs='on_output',
        num_outs=5,
        norm_cfg=dict(type='BN'),
    ),
    bbox_head=dict(
        _delete_=True,
        type='RetinaHead',
        num_classes=len(_base_.classes),
        in_channels=96,
        feat_channels=96,
        stacked_convs=2,
        anchor_generator=dict(
            type='AnchorGenerator',
            octave_base_scale=4,
            scales_per_octave=3,
            ratios=[0.5, 1.0, 2.0],
            strides=[8, 16, 32, 64, 128],
        ),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
        loss_cls=dict(type='FocalLoss'),
        loss_bbox=dict(type='L1Loss'),
    ),
    train_cfg=dict(
        _delete_=True,
        assigner=dict(
            type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0
        ),
        sampler=dict(type='PseudoSampler'),
        allowed_border=-1,
        pos_weight=-1,
    ),
    test_cfg=dict(
        _delete_=True,
        nms_pre=1000,
        min_bbox_size=0,
        score_thr=0.05,
        nms=dict(type='nms', iou_threshold=0.5),
        max_per_img=100,
    ),
)
