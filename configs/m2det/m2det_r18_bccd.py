# The narrow model on blood cells, from scratch on a CPU.
_base_ = [
    '../_base_/models/m2det_r18_narrow.py',
    '../_base_/datasets/bccd_320.py',
    '../_base_/schedules/schedule_scratch.py',
    '../_base_/default_runtime.py',
]

model = dict(
    neck=dict(num_scales=6),
    bbox_head=dict(
        num_classes=len(_base_.classes),
        anchor_generator=dict(
            input_size=320, sizes=[0.06, 0.12, 0.2, 0.3, 0.42, 0.6, 0.85], ratios=[2]
        ),
    ),
)

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
