# A loss of quality, boxes by their overlap, and ATSS.
_base_ = [
    '../backbones/m2det_efficientnet-lite0_bccd.py',
    '../../_base_/models/necks_lite0.py',
]

model = dict(
    neck=_base_.pop('necks_lite0').mlfpn_2,
    bbox_head=dict(
        loss_cls=dict(type='QualityFocalLoss', beta=2.0),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
    ),
    train_cfg=dict(assigner=dict(_delete_=True, type='ATSSAssigner', topk=9)),
    test_cfg=dict(score_thr=0.01),
)
