# The narrow model on blood cells, from scratch on a CPU.
_base_ = [
    '../_base_/models/refinedet_r18_narrow.py',
    '../_base_/datasets/bccd_320.py',
    '../_base_/datasets/pipelines.py',
    '../_base_/schedules/schedule_scratch_40e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    bbox_head=dict(
        num_classes=len(_base_.classes),
        # 26, 51, 102 and 205 pixels: platelets are small.
        anchor_generator=dict(input_size=320, scale=3.2),
    )
)
train_pipeline, test_pipeline, tta_pipeline = _base_.pop('pipelines').refinedet_r18[320]
train_dataloader = dict(num_workers=1, dataset=dict(pipeline=train_pipeline))
optim_wrapper = _base_.adamw
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLastHook')]
