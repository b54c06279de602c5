# Eight TUMs without smoothing; only the first sees the base feature.
_base_ = '../m2det_r18_scenes.py'

model = dict(
    neck=dict(num_levels=8, tum_channels=26, smooth=False, reuse_base=False, sfam=False)
)
optim_wrapper = _base_.adamw
