_base_ = './ablation_narrow_sfam_bccd.py'

model = dict(neck=dict(sfam=False))
