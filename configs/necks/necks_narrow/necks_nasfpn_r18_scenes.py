_base_ = '../../_base_/necks_r18_scenes.py'

model = dict(neck=_base_.necks.nasfpn)
