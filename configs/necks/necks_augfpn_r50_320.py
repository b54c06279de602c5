# Residual feature augmentation; the other two parts of AugFPN need RoIs.
_base_ = './necks_fpn_r50_320.py'

model = dict(neck=dict(type='AugFPN'))
