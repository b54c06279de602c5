_base_ = [
    '../../m2det/backbones/m2det_efficientnet-lite0_bccd.py',
    '../../_base_/models/necks_lite0.py',
]

model = dict(neck=_base_.pop('necks_lite0').ssd)
