# COCO 2017. Files of a size add its pipelines.
dataset_type = 'CheckedCocoDataset'
data_root = 'data/coco/'

train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    # Batch norm cannot train on one image, whose smallest map is one cell.
    drop_last=True,
    sampler=dict(type='DefaultSampler'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/instances_train2017.json',
        data_prefix=dict(img='train2017/'),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/instances_val2017.json',
        data_prefix=dict(img='val2017/'),
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(
    type='CocoMetric',
    ann_file=data_root + 'annotations/instances_val2017.json',
)
test_evaluator = val_evaluator

tta_model = dict(type='M2DetTTAModel')
