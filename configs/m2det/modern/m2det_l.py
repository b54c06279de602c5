# The size of RTMDet-l.
_base_ = [
    '../../_base_/models/m2det_modern.py',
    '../../_base_/datasets/coco_640_modern.py',
    '../../_base_/schedules/schedule_modern.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(deepen_factor=1.0, widen_factor=1.0),
    neck=dict(ffm_channels=(256, 256, 256), num_levels=4, tum_channels=384),
)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='ChannelsLastHook'),
    _base_.pop('mean_of_weights'),
    dict(_base_.pop('last_epochs'), switch_pipeline=_base_.pop('unmixed')),
]
