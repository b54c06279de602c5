# The same with half as many TUMs, of half the channels, for small backbones.
_base_ = './m2det_three_maps.py'

model = dict(neck=dict(num_levels=4, tum_channels=128))
