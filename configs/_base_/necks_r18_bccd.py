_base_ = ['../m2det/m2det_r18_bccd.py', './necks_r18.py']

model = _base_.narrow_model
model.bbox_head.anchor_generator.sizes = [0.06, 0.12, 0.2, 0.32, 0.5, 0.8]
optim_wrapper = _base_.adamw
