# COCO 2017 at 640x640.
_base_ = ['./coco.py', './pipelines.py']

train_pipeline, test_pipeline, tta_pipeline = _base_.pop('pipelines').m2det[640]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
