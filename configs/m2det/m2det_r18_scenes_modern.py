# The narrow M2Det on generated scenes, trained as docs/training.md tells.
_base_ = [
    '../_base_/models/m2det_r18_narrow.py',
    '../_base_/datasets/scenes_128_modern.py',
    '../_base_/schedules/schedule_modern.py',
    '../_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(
        batch_augments=[dict(type='BatchSyncRandomResize', random_size_range=(96, 160))]
    ),
    bbox_head=dict(num_classes=len(_base_.classes)),
)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='ChannelsLastHook'),
    _base_.pop('mean_of_weights'),
    dict(_base_.pop('last_epochs'), switch_pipeline=_base_.pop('unmixed')),
]
