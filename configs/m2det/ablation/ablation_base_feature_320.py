# The base feature goes into each TUM.
_base_ = '../m2det_vgg_320.py'

model = dict(neck=dict(sfam=False))
