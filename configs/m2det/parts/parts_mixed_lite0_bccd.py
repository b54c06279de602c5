# Several images in one until the last ninth of the epochs.
_base_ = [
    '../backbones/m2det_efficientnet-lite0_bccd.py',
    '../../_base_/models/necks_lite0.py',
    '../../_base_/datasets/pipelines.py',
]

model = dict(neck=_base_.pop('necks_lite0').mlfpn_2)
loading, mixing, unmixed = _base_.pop('pipelines').mixed[320]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='MultiImageMixDataset',
        dataset=dict(_base_.train_dataloader.dataset, pipeline=loading),
        pipeline=mixing,
    )
)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='PipelineSwitchHook', switch_epoch=26, switch_pipeline=unmixed),
]
