# COCO 2017 at 320x320, as RefineDet trains on it.
_base_ = ['./coco_320.py', '../ssd_augmentation.py']

train_pipeline = [
    *_base_.ssd_augmentation,
    *_base_.train_pipeline[4:6],  # resize, flip
    _base_.train_pipeline[-1],
]
train_dataloader = dict(batch_size=32, dataset=dict(pipeline=train_pipeline))

# Its maps can be made of smaller images than those of M2Det.
tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0][0].scale = (256, 256)
