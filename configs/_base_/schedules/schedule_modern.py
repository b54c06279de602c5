# What detectors learn by today, at a batch of 16: AdamW that decays neither norms nor
# biases, a warm-up and half a cosine, and the mean of the weights. docs/training.md
# tells what each part is for.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=36, val_interval=4)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=100),
    dict(
        type='CosineAnnealingLR',
        T_max=36,
        eta_min_ratio=0.01,
        convert_to_iter_based=True,
    ),
]

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0, bypass_duplicate=True),
    clip_grad=dict(max_norm=10),
)

# It belongs to that batch, and follows it where that is asked for.
auto_scale_lr = dict(enable=False, base_batch_size=16)

# A leaf adds these to its custom_hooks. The mean is over about the last twentieth of
# the steps so far, in a run of any length.
mean_of_weights = dict(
    type='EMAHook', ema_type='MomentumAnnealingEMA', gamma=20, update_buffers=True
)
# Give it the switch_pipeline.
last_epochs = dict(type='PipelineSwitchHook', switch_epoch=32)
