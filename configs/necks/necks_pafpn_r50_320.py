_base_ = './necks_fpn_r50_320.py'

model = dict(neck=dict(type='PAFPN'))
