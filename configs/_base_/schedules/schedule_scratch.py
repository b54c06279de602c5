# A short schedule from scratch at a batch of 16: a warm-up, then half a cosine.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=18, val_interval=18)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=100),
    dict(type='CosineAnnealingLR', T_max=18, convert_to_iter_based=True),
]

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.15, momentum=0.9, weight_decay=5e-4, nesterov=True),
)

# For comparing networks: SGD's best rate differs from one to the next, and at M2Det's
# an FPN diverges.
adamw = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=3e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=10),
)
