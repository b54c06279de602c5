_base_ = ['../m2det/m2det_r18_bccd.py', './necks_r18.py']

model = _base_.narrow_model
model.bbox_head.anchor_generator.sizes = [0.06, 0.12, 0.2, 0.32, 0.5, 0.8]
# At the rate of m2det_r18_bccd some of the necks diverge.
optim_wrapper = dict(optimizer=dict(lr=0.02), clip_grad=dict(max_norm=10))
