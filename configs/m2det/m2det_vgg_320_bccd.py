# Fine-tuning on a data set of your own: classes and paths stand in bccd_320.py.
_base_ = [
    '../_base_/models/m2det_vgg.py',
    '../_base_/datasets/bccd_320.py',
    '../_base_/schedules/schedule_150e.py',
    '../_base_/default_runtime.py',
]

model = dict(bbox_head=dict(num_classes=len(_base_.classes)))

train_cfg = dict(max_epochs=60, val_interval=2)
param_scheduler = [
    dict(type='LinearLR', start_factor=5e-4, by_epoch=False, end=200),
    dict(type='MultiStepLR', milestones=[40, 52]),
]
