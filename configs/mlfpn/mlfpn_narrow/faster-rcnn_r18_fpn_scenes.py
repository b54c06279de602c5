# A narrow Faster R-CNN on generated scenes, from scratch on a CPU.
_base_ = [
    '../../_base_/models/faster-rcnn_r18_narrow.py',
    '../../_base_/datasets/scenes_128.py',
    '../../_base_/schedules/schedule_scratch.py',
    '../../_base_/default_runtime.py',
]

model = dict(roi_head=dict(bbox_head=dict(num_classes=len(_base_.classes))))
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='PyramidCheckHook'),
    dict(type='ChannelsLastHook'),
]
optim_wrapper = _base_.adamw
