_base_ = ['./necks_fpn_r50_320.py', '../_base_/models/necks_r50.py']

model = dict(neck=dict(_delete_=True, **_base_.pop('necks_r50').ssd))
