# M2Det VGG-800 with the settings of the authors' release.
_base_ = [
    '../m2det_vgg_800.py',
    '../../_base_/models/m2det_release.py',
    '../../_base_/datasets/release.py',
    '../../_base_/schedules/schedule_160e.py',
]

model = _base_.pop('release_model')
train_dataloader = _base_.pop('release_dataloaders')[800]
train_pipeline = train_dataloader.dataset.pipeline
val_evaluator = test_evaluator = dict(type='InclusiveCocoMetric')
train_cfg, param_scheduler, optim_wrapper, auto_scale_lr = _base_.pop('schedule_160e')
