# Three parts of the recipe in ../modern (more of the base feature for narrower TUMs,
# anchors as far apart as the cells, a mean of the weights), and SFAM by ECA.
_base_ = [
    '../backbones/m2det_efficientnet-lite0_bccd.py',
    '../../_base_/models/necks_lite0.py',
    '../../_base_/models/parts_lite0.py',
]

model = dict(
    neck=dict(
        _base_.pop('necks_lite0').mlfpn_2, **_base_.parts_lite0.wide_base, sfam='eca'
    ),
    bbox_head=dict(anchor_generator=_base_.parts_lite0.steps),
)
custom_hooks = [*_base_.custom_hooks, _base_.pop('parts_lite0').mean]
