# The narrow M2Det for data of your own, on a CPU: `m2det train --data DATA`.
_base_ = [
    '../_base_/models/m2det_r18_narrow.py',
    '../_base_/datasets/own_320.py',
    '../_base_/schedules/schedule_finetune.py',
    '../_base_/default_runtime.py',
]

model = dict(
    bbox_head=dict(
        anchor_generator=dict(
            input_size=320, sizes=[0.06, 0.14, 0.28, 0.5, 0.8], ratios=[2]
        )
    )
)
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLastHook')]
