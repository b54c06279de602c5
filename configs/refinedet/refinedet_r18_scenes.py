# A narrow RefineDet on generated scenes, from scratch on a CPU.
_base_ = [
    '../_base_/models/refinedet_r18_narrow.py',
    '../_base_/datasets/scenes_128.py',
    '../_base_/schedules/schedule_scratch.py',
    '../_base_/default_runtime.py',
]

model = dict(
    bbox_head=dict(
        num_classes=len(_base_.classes),
        # 13, 26, 51 and 102 pixels, as the squares of m2det_r18_scenes.
        anchor_generator=dict(input_size=128, scale=1.6),
    )
)
optim_wrapper = _base_.adamw
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLastHook')]
