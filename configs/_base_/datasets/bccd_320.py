# A data set of your own in COCO format, shown on BCCD (blood cells of three kinds).
# docs/data.md has one file to copy for your own, which works in any folder.
_base_ = ['./coco.py', './pipelines.py']

data_root = 'data/bccd/'
classes = ('RBC', 'WBC', 'Platelets')
train = dict(ann_file='annotations_coco/train.json', img='JPEGImages/')
val = dict(ann_file='annotations_coco/val.json', img='JPEGImages/')
test = dict(ann_file='annotations_coco/test.json', img='JPEGImages/')

train_pipeline, test_pipeline, tta_pipeline = _base_.pop('pipelines').m2det[320]

metainfo = dict(classes=classes)
train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        ann_file=train['ann_file'],
        data_prefix=dict(img=train['img']),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        ann_file=val['ann_file'],
        data_prefix=dict(img=val['img']),
        pipeline=test_pipeline,
    )
)
test_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        ann_file=test['ann_file'],
        data_prefix=dict(img=test['img']),
        pipeline=test_pipeline,
    )
)
val_evaluator = dict(ann_file=data_root + val['ann_file'])
test_evaluator = dict(ann_file=data_root + test['ann_file'])
