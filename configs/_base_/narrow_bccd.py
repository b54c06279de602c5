# Blood cells for narrow models, from scratch on a CPU: a crop, flips, 40 epochs.
_base_ = [
    './datasets/bccd_320.py',
    './schedules/schedule_scratch.py',
    './default_runtime.py',
]

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomCrop', crop_type='relative_range', crop_size=(0.5, 0.5)),
    dict(type='Resize', scale=(320, 320), keep_ratio=False),
    dict(type='RandomFlip', prob=[0.3, 0.3], direction=['horizontal', 'vertical']),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(
    batch_size=8, num_workers=1, dataset=dict(pipeline=train_pipeline)
)
optim_wrapper = dict(optimizer=dict(lr=0.08))
train_cfg = dict(max_epochs=40, val_interval=40)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', T_max=40, convert_to_iter_based=True),
]
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLastHook')]
