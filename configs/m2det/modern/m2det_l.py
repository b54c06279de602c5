# The size of RTMDet-l.
_base_ = [
    '../../_base_/models/m2det_modern.py',
    '../../_base_/datasets/coco_640.py',
    '../../_base_/schedules/schedule_modern.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(deepen_factor=1.0, widen_factor=1.0),
    neck=dict(
        ffm_channels=(256, 256, 256),
        num_levels=4,
        tum_channels=128,
        thin_channels=256,
    ),
)
# The batch of schedule_modern.py.
train_dataloader = dict(batch_size=16)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='ChannelsLastHook'),
    _base_.pop('mean_of_weights'),
]
# No images are mixed here.
_base_.pop('last_epochs')
