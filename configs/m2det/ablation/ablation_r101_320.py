# The whole MLFPN on ResNet-101: m2det_r101_320.
_base_ = '../m2det_r101_320.py'
