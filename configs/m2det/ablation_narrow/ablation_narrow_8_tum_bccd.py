# Eight TUMs; only the first sees the base feature.
_base_ = '../m2det_r18_bccd.py'

model = dict(neck=dict(num_levels=8, tum_channels=26, reuse_base=False, sfam=False))
optim_wrapper = _base_.adamw
