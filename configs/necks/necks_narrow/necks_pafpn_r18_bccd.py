_base_ = ['../../m2det/m2det_r18_bccd.py', '../../_base_/models/necks_r18.py']

model = _base_.pop('necks_r18').bccd.pafpn
optim_wrapper = _base_.adamw
