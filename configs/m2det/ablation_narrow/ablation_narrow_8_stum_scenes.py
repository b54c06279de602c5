# TUMs without the 1x1 convolutions that smooth.
_base_ = './ablation_narrow_8_tum_scenes.py'

model = dict(neck=dict(smooth=False))
