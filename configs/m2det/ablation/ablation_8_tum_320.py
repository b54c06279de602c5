# Eight TUMs; only the first sees the base feature.
_base_ = '../m2det_vgg_320.py'

model = dict(neck=dict(reuse_base=False, sfam=False))
