# P6 and P7 from C5, as in RetinaNet.
_base_ = '../_base_/necks_r50_320.py'
