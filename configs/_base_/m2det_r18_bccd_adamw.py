_base_ = '../m2det/m2det_r18_bccd.py'

optim_wrapper = _base_.adamw
