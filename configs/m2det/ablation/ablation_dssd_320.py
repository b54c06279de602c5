# SSD and a decoder of deconvolutions, as in DSSD.
_base_ = ['../m2det_vgg_320.py', '../../_base_/models/ssd_necks.py']

model = dict(neck=dict(_base_.pop('ssd_necks').vgg, _delete_=True, type='DSSDNeck'))
