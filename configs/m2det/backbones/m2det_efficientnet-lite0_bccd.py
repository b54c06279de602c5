# Blood cells on a CPU, from a backbone that knows ImageNet.
_base_ = [
    '../../_base_/models/m2det_r18_narrow.py',
    '../../_base_/models/efficientnet_lite0.py',
    '../../_base_/datasets/bccd_320.py',
    '../../_base_/datasets/pipelines.py',
    '../../_base_/schedules/schedule_finetune.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    **_base_.pop('lite0'),
    neck=dict(in_channels=None, ffm_channels=(48, 48, 48), num_scales=6),
    bbox_head=dict(
        num_classes=len(_base_.classes),
        anchor_generator=dict(
            input_size=320, sizes=[0.06, 0.12, 0.2, 0.3, 0.42, 0.6, 0.85], ratios=[2]
        ),
    ),
)
# Stem and stage of stride 4: half of the time of a training, and known from ImageNet.
model['backbone']['frozen_stages'] = 1
train_pipeline, test_pipeline, tta_pipeline = _base_.pop('pipelines').cells[320]
# Few images: small batches, so that there are more steps. Chosen by the AP on the
# validation split of 12 epochs.
train_dataloader = dict(
    batch_size=4, num_workers=1, dataset=dict(pipeline=train_pipeline)
)
optim_wrapper = dict(
    optimizer=dict(lr=4e-3),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.25))),
)
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLastHook')]
