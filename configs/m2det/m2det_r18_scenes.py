# The demo: a narrow M2Det on generated scenes.
_base_ = [
    '../_base_/models/m2det_r18_narrow.py',
    '../_base_/datasets/scenes_128.py',
    '../_base_/schedules/schedule_scratch.py',
    '../_base_/default_runtime.py',
]

model = dict(bbox_head=dict(num_classes=len(_base_.classes)))
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLastHook')]
