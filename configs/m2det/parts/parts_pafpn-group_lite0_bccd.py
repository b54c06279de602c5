# PAFPN with group norm, for comparison.
_base_ = [
    '../backbones/m2det_efficientnet-lite0_bccd.py',
    '../../_base_/models/necks_lite0.py',
]

model = dict(
    neck=dict(_base_.pop('necks_lite0').pafpn, norm_cfg=dict(type='GN', num_groups=4))
)
