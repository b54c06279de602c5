# More of the base feature for narrower TUMs, at nearly the cost of 48 and 24 channels.
_base_ = [
    '../backbones/m2det_efficientnet-lite0_bccd.py',
    '../../_base_/models/necks_lite0.py',
    '../../_base_/models/parts_lite0.py',
]

model = dict(
    neck=dict(_base_.pop('necks_lite0').mlfpn_2, **_base_.pop('parts_lite0').wide_base)
)
