_base_ = ['../m2det/m2det_r18_scenes.py', './necks_r18.py']

model = _base_.narrow_model
optim_wrapper = _base_.adamw
