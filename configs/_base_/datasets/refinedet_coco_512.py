# COCO 2017 at 512x512, as RefineDet trains on it.
_base_ = ['./coco.py', './pipelines.py']

train_pipeline, test_pipeline, tta_pipeline = _base_.pop('pipelines').refinedet[512]
train_dataloader = dict(batch_size=32, dataset=dict(pipeline=train_pipeline))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
