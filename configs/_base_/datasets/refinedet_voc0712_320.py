# PASCAL VOC at 320x320, as RefineDet trains on it.
_base_ = ['./voc0712.py', './pipelines.py']

train_pipeline, test_pipeline, tta_pipeline = _base_.pop('pipelines').refinedet[320]
train_dataloader = dict(
    batch_size=32,
    dataset=dict(
        datasets=[
            dict(_base_.voc2007, pipeline=train_pipeline),
            dict(_base_.voc2012, pipeline=train_pipeline),
        ]
    ),
)
val_dataloader = test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
