_base_ = '../m2det_r18_scenes.py'

model = dict(neck=dict(num_levels=2, tum_channels=48))
optim_wrapper = _base_.adamw
