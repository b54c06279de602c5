# The size of RTMDet-m.
_base_ = './m2det_l.py'

model = dict(
    backbone=dict(deepen_factor=0.67, widen_factor=0.75),
    neck=dict(
        ffm_channels=(192, 192, 192),
        num_levels=3,
        tum_channels=104,
        thin_channels=208,
    ),
)
