# A narrow M2Det for the demo: ResNet-18 of a third of the width, from scratch.
_base_ = [
    '../_base_/models/m2det_r50.py',
    '../_base_/datasets/scenes.py',
    '../_base_/schedules/schedule_150e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        depth=18, base_channels=24, stem_channels=24, init_cfg=None
    ),
    neck=dict(
        in_channels=(48, 192),
        ffm_channels=(48, 48),
        num_levels=4,
        num_scales=5,
        tum_channels=32,
        norm_cfg=dict(type='BN', momentum=0.1),
    ),
    bbox_head=dict(
        num_classes=len(_base_.classes),
        anchor_generator=dict(
            input_size=192,
            sizes=[0.08, 0.15, 0.3, 0.5, 0.75, 1.05],
            steps=None,
        ),
    ),
)

train_cfg = dict(max_epochs=10, val_interval=10)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', T_max=10, convert_to_iter_based=True),
]
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=2e-3, weight_decay=0.05)
)
auto_scale_lr = dict(enable=False)
