# What is tested is a mean of the weights.
_base_ = [
    '../backbones/m2det_efficientnet-lite0_bccd.py',
    '../../_base_/models/necks_lite0.py',
    '../../_base_/models/parts_lite0.py',
]

model = dict(neck=_base_.pop('necks_lite0').mlfpn_2)
custom_hooks = [*_base_.custom_hooks, _base_.pop('parts_lite0').mean]
