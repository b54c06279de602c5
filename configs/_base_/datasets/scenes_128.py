# The scenes that `m2det scenes data/scenes` writes, at 128x128.
_base_ = ['./coco.py', './pipelines.py']

data_root = 'data/scenes/'
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
train_pipeline, test_pipeline, tta_pipeline = _base_.pop('pipelines').scenes[128]

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
val_dataloader = test_dataloader = dict(
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

val_evaluator = test_evaluator = dict(
    type='GradedCocoMetric', ann_file=data_root + 'annotations/val.json'
)
