# The scenes that `m2det scenes data/scenes` writes, at 128x128.
_base_ = './coco_320.py'

data_root = 'data/scenes/'
input_size = 128
scale = (input_size, input_size)
tta_sizes = [96, 128, 160, 192]
classes = (
    'disc',
    'square',
    'triangle',
    'striped',
    'checkered',
    'dotted',
    'car',
    'robot',
    'flower',
    'paw',
)

# Cheap augmentation: a crop and a flip. Upside down, a figure would be a stray.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomCrop', crop_type='relative_range', crop_size=(0.6, 0.6)),
    dict(type='Resize', scale=scale, keep_ratio=False),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline, tta_pipeline = _base_.test_pipeline, _base_.tta_pipeline
test_pipeline[1].scale = scale
tta_pipeline[1].transforms[0] = [
    dict(type='Resize', scale=(s, s), keep_ratio=False) for s in tta_sizes
]

train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(
        data_root=data_root,
        metainfo=dict(classes=classes),
        ann_file='annotations/train.json',
        data_prefix=dict(img='train/'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(
        data_root=data_root,
        metainfo=dict(classes=classes),
        ann_file='annotations/val.json',
        data_prefix=dict(img='val/'),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(
    type='GradedCocoMetric', ann_file=data_root + 'annotations/val.json'
)
test_evaluator = val_evaluator
