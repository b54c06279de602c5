_base_ = '../m2det/m2det_r18_scenes.py'

optim_wrapper = _base_.adamw
