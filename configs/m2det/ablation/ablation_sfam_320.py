# The whole MLFPN: m2det_vgg_320.
_base_ = '../m2det_vgg_320.py'
