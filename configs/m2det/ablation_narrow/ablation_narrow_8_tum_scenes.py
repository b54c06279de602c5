# Eight TUMs; only the first sees the base feature.
_base_ = './ablation_narrow_base_feature_scenes.py'

model = dict(neck=dict(reuse_base=False))
