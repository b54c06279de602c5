_base_ = ['./necks_fpn_r50_320.py', '../_base_/models/necks_r50.py']

model = dict(neck=_base_.pop('necks_r50').tcb)
