# Maps of the neck that begin small.
_base_ = [
    '../backbones/m2det_efficientnet-lite0_bccd.py',
    '../../_base_/models/necks_lite0.py',
]

model = dict(
    neck=dict(
        _base_.pop('necks_lite0').mlfpn_2,
        init_cfg=dict(type='Constant', layer='BatchNorm2d', val=0.2),
    )
)
