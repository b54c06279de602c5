# SSD and a decoder of deconvolutions, as in DSSD.
_base_ = './ablation_ssd_320.py'

model = dict(neck=dict(type='DSSDNeck'))
