# The same for BCCD, at a batch of 8.
_base_ = './schedule_scratch.py'

train_cfg = dict(max_epochs=40, val_interval=40)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=100),
    dict(type='CosineAnnealingLR', T_max=40, convert_to_iter_based=True),
]
optim_wrapper = dict(optimizer=dict(lr=0.08))
