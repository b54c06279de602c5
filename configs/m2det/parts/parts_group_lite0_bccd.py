# Group norm in the neck: it sees each image alone, in training and after it.
_base_ = [
    '../backbones/m2det_efficientnet-lite0_bccd.py',
    '../../_base_/models/necks_lite0.py',
]

model = dict(
    neck=dict(
        _base_.pop('necks_lite0').mlfpn_2,
        norm_cfg=dict(_delete_=True, type='GN', num_groups=1),
    )
)
