_base_ = ['../m2det/m2det_r18_scenes.py', './necks_r18.py']

model = _base_.narrow_model
# At the rate of m2det_r18_scenes some of the necks diverge.
optim_wrapper = dict(optimizer=dict(lr=0.04), clip_grad=dict(max_norm=10))
