# Two ResNet-50 in place of a ResNet-18: DetectoRS has no smaller one.
_base_ = ['../../m2det/m2det_r18_scenes.py', '../../_base_/models/necks_r18.py']

model = _base_.pop('necks_r18').scenes.rfp
optim_wrapper = _base_.adamw
