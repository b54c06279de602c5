_base_ = './ablation_narrow_sfam_scenes.py'

model = dict(neck=dict(sfam=False))
