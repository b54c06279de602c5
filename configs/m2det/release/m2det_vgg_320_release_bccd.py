# Fine-tuning a checkpoint of the authors on a data set of your own, after
# m2det convert RELEASED.pth m2det_vgg_320_release work_dirs/m2det_vgg_320_release.pth
_base_ = [
    '../m2det_vgg_320_bccd.py',
    '../../_base_/models/m2det_release.py',
    '../../_base_/datasets/release.py',
]

load_from = 'work_dirs/m2det_vgg_320_release.pth'
# The checkpoint has all weights; those of other classes are logged and left out.
model = dict(_base_.pop('release_model'), backbone=dict(init_cfg=None))

train_dataloader = dict(_base_.pop('release_dataloaders')[320], batch_size=8)
train_pipeline = train_dataloader['dataset'].pipeline
val_evaluator = test_evaluator = dict(type='InclusiveCocoMetric')
