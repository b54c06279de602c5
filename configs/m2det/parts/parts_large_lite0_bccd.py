# parts_together for images of 480 pixels.
_base_ = [
    '../backbones/m2det_efficientnet-lite0_bccd.py',
    '../../_base_/models/necks_lite0.py',
    '../../_base_/models/parts_lite0.py',
    '../../_base_/datasets/pipelines.py',
]

model = dict(
    neck=dict(
        _base_.pop('necks_lite0').mlfpn_2, **_base_.parts_lite0.wide_base, sfam='eca'
    ),
    bbox_head=dict(anchor_generator=dict(_base_.parts_lite0.steps, input_size=480)),
)
custom_hooks = [*_base_.custom_hooks, _base_.pop('parts_lite0').mean]
train_pipeline, test_pipeline, tta_pipeline = _base_.pop('pipelines').cells[480]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
