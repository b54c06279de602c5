# Data of your own at 320x320, which `m2det train --data DATA` points it at.
_base_ = ['./coco.py', './pipelines.py']

train_pipeline, test_pipeline, tta_pipeline = _base_.pop('pipelines').own[320]
train_dataloader = dict(num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = test_dataloader = dict(
    num_workers=1, dataset=dict(pipeline=test_pipeline)
)
