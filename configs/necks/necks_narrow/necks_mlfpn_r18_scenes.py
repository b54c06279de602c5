_base_ = ['../../m2det/m2det_r18_scenes.py', '../../_base_/models/necks_r18.py']

model = _base_.pop('necks_r18').scenes.mlfpn
optim_wrapper = _base_.adamw
