# Boxes learn by their overlap; mined softmax as in the paper.
_base_ = [
    '../backbones/m2det_efficientnet-lite0_bccd.py',
    '../../_base_/models/necks_lite0.py',
]

model = dict(
    neck=_base_.pop('necks_lite0').mlfpn_2,
    bbox_head=dict(loss_bbox=dict(type='GIoULoss', loss_weight=2.0)),
)
