_base_ = './coco_320.py'

input_size = 300
# Multiples of 32 but for the size itself; 288 is the smallest that holds six maps.
tta_sizes = [288, 300, 384, 480]

# Lists are replaced, not merged: edit the inherited ones, then assign them again.
train_pipeline, test_pipeline = _base_.train_pipeline, _base_.test_pipeline
train_pipeline[4].scale = test_pipeline[1].scale = (input_size, input_size)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0] = [
    dict(type='Resize', scale=(s, s), keep_ratio=False) for s in tta_sizes
]
