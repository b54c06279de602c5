_base_ = '../m2det_vgg_320.py'

model = dict(neck=dict(num_levels=16, tum_channels=128))
