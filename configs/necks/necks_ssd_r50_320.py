_base_ = ['../_base_/necks_r50_320.py', '../_base_/models/necks_r50.py']

model = dict(neck=dict(_delete_=True, **_base_.ssd))
