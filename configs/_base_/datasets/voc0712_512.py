# PASCAL VOC 2007 and 2012 trainval for training, VOC 2007 test, at 512x512.
_base_ = './coco_512.py'

dataset_type = 'VOCDataset'
data_root = 'data/VOCdevkit/'

voc2007 = dict(
    type=dataset_type,
    data_root=data_root,
    ann_file='VOC2007/ImageSets/Main/trainval.txt',
    data_prefix=dict(sub_data_root='VOC2007/'),
    filter_cfg=dict(filter_empty_gt=True, min_size=32),
    pipeline=_base_.train_pipeline,
    backend_args=_base_.backend_args,
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
        datasets=[voc2007, voc2012],
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='VOC2007/ImageSets/Main/test.txt',
        data_prefix=dict(_delete_=True, sub_data_root='VOC2007/'),
    )
)
test_dataloader = val_dataloader

val_evaluator = dict(
    _delete_=True, type='VOCMetric', metric='mAP', eval_mode='11points'
)
test_evaluator = val_evaluator
