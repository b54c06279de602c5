# COCO 2017 at 512x512, as RefineDet trains on it.
_base_ = ['./coco_512.py', '../ssd_augmentation.py']

train_pipeline = [
    *_base_.ssd_augmentation,
    *_base_.train_pipeline[4:6],  # resize, flip
    _base_.train_pipeline[-1],
]
train_dataloader = dict(batch_size=32, dataset=dict(pipeline=train_pipeline))
