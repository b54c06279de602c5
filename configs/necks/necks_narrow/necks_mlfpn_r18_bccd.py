_base_ = '../../_base_/necks_r18_bccd.py'

model = dict(neck=_base_.necks.mlfpn)
