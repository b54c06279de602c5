# TUMs of depthwise convolutions, at equal cost wider.
_base_ = [
    '../backbones/m2det_efficientnet-lite0_bccd.py',
    '../../_base_/models/necks_lite0.py',
]

model = dict(
    neck=dict(
        _base_.pop('necks_lite0').mlfpn_2,
        use_depthwise=True,
        tum_channels=80,
        thin_channels=80,
    )
)
