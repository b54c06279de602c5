# A narrow RefineDet on generated scenes, from scratch on a CPU.
_base_ = [
    '../_base_/models/refinedet_r18_narrow.py',
    '../_base_/datasets/scenes_128.py',
    '../_base_/schedules/schedule_scratch.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(out_indices=(0, 1, 2), extra_channels=(96,)),
    neck=dict(in_channels=(24, 48, 96, 96)),
    bbox_head=dict(
        num_classes=len(_base_.classes),
        # 13, 26, 51 and 102 pixels, as the squares of m2det_r18_scenes; as large beside
        # the strides as on BCCD.
        anchor_generator=dict(input_size=128, strides=[4, 8, 16, 32], scale=3.2),
    ),
)
optim_wrapper = _base_.adamw
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLastHook')]
