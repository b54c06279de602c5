# The base feature of three backbone maps, as wide as that of two.
_base_ = './m2det_r50_320.py'

model = dict(
    backbone=dict(out_indices=(1, 2, 3)),
    neck=dict(in_channels=(512, 1024, 2048), ffm_channels=(256, 256, 256)),
)
