# PASCAL VOC 2007 and 2012 trainval for training, VOC 2007 test. Files of a size add its
# pipelines.
_base_ = './coco.py'

dataset_type = 'VOCDataset'
data_root = 'data/VOCdevkit/'

voc2007 = dict(
    type=dataset_type,
    data_root=data_root,
    ann_file='VOC2007/ImageSets/Main/trainval.txt',
    data_prefix=dict(sub_data_root='VOC2007/'),
    filter_cfg=dict(filter_empty_gt=True, min_size=32),
)
voc2012 = dict(
    voc2007,
    ann_file='VOC2012/ImageSets/Main/trainval.txt',
    data_prefix=dict(sub_data_root='VOC2012/'),
)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        # VOCDataset would tell 2007 from 2012 in its metainfo otherwise.
        ignore_keys=['dataset_type'],
    )
)
val_dataloader = test_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='VOC2007/ImageSets/Main/test.txt',
        data_prefix=dict(_delete_=True, sub_data_root='VOC2007/'),
    )
)

val_evaluator = test_evaluator = dict(_delete_=True, type='VOCMetric')
