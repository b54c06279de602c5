_base_ = '../../_base_/m2det_r18_scenes_adamw.py'

model = dict(neck=dict(num_levels=2, tum_channels=63))
