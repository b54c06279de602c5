_base_ = '../_base_/necks_r50_320.py'

model = dict(neck=dict(type='PAFPN'))
