_base_ = '../../_base_/ablation_narrow_scenes.py'

model = dict(neck=dict(num_levels=8, tum_channels=26))
