# More of the base feature for each TUM: twice its width, not half.
_base_ = [
    '../backbones/m2det_efficientnet-lite0_bccd.py',
    '../../_base_/models/necks_lite0.py',
]

model = dict(neck=dict(_base_.pop('necks_lite0').mlfpn_2, thin_channels=96))
