# Neck and head of MMDetection's RTMDet-tiny, on the backbone and data of the necks.
_base_ = '../../m2det/backbones/m2det_efficientnet-lite0_bccd.py'

model = dict(
    type='RTMDet',
    neck=dict(
        _delete_=True,
        type='CSPNeXtPAFPN',
        in_channels=[40, 112, 320],
        out_channels=96,
        num_csp_blocks=1,
        expand_ratio=0.5,
        norm_cfg=dict(type='BN'),
        act_cfg=dict(type='SiLU', inplace=True),
    ),
    bbox_head=dict(
        _delete_=True,
        type='RTMDetSepBNHead',
        num_classes=len(_base_.classes),
        in_channels=96,
        feat_channels=96,
        stacked_convs=2,
        anchor_generator=dict(type='MlvlPointGenerator', offset=0, strides=[8, 16, 32]),
        bbox_coder=dict(type='DistancePointBBoxCoder'),
        loss_cls=dict(type='QualityFocalLoss', beta=2.0),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
        with_objectness=False,
        exp_on_reg=False,
        share_conv=True,
        pred_kernel_size=1,
        norm_cfg=dict(type='BN'),
        act_cfg=dict(type='SiLU', inplace=True),
    ),
    train_cfg=dict(
        _delete_=True,
        assigner=dict(type='DynamicSoftLabelAssigner', topk=13),
        allowed_border=-1,
        pos_weight=-1,
    ),
    test_cfg=dict(
        _delete_=True,
        nms_pre=30000,
        min_bbox_size=0,
        score_thr=0.001,
        nms=dict(type='nms', iou_threshold=0.65),
        max_per_img=300,
    ),
)
# The convolutions of the head are shared between scales.
optim_wrapper = dict(paramwise_cfg=dict(bypass_duplicate=True))
