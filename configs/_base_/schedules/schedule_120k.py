# RefineDet's for PASCAL VOC, in iterations: 1e-3 at a total batch of 32, steps at 80k
# and 100k. The runtime counts iterations too.
_base_ = '../default_runtime.py'

default_hooks = dict(checkpoint=dict(by_epoch=False, interval=10000))
log_processor = dict(by_epoch=False)

train_cfg = dict(type='IterBasedTrainLoop', max_iters=120000, val_interval=10000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='MultiStepLR', by_epoch=False, milestones=[80000, 100000]),
]

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=5e-4),
)

# The learning rate follows the total batch of all processes.
auto_scale_lr = dict(enable=True, base_batch_size=32)
