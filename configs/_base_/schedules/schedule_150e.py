# The paper's: 2e-3 at a total batch of 32, warm-up 5 epochs, steps at 90 and 120.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=150, val_interval=5)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='LinearLR', start_factor=5e-4, end=5, convert_to_iter_based=True),
    dict(type='MultiStepLR', milestones=[90, 120]),
]

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=2e-3, momentum=0.9, weight_decay=5e-4),
    # Batch norm over the one-cell maps of two or three images can blow up gradients.
    clip_grad=dict(max_norm=35),
)

# The learning rate follows the total batch of all processes.
auto_scale_lr = dict(enable=True, base_batch_size=32)
