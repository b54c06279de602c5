_base_ = './refinedet_voc0712_512.py'

input_size = 320
tta_sizes = [256, 320, 416, 480]

# Lists are replaced, not merged: edit the inherited ones, then assign them again.
train_pipeline, test_pipeline = _base_.train_pipeline, _base_.test_pipeline
train_pipeline[5].scale = test_pipeline[1].scale = (input_size, input_size)
train_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(_base_.voc2007, pipeline=train_pipeline),
            dict(_base_.voc2012, pipeline=train_pipeline),
        ]
    )
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0] = [
    dict(type='Resize', scale=(s, s), keep_ratio=False) for s in tta_sizes
]
