# COCO 2017 at 640x640, several images mixed into one until the last epochs.
_base_ = ['./coco.py', './pipelines.py']

loading, mixing, unmixed = _base_.pipelines.mixed[640]
test_pipeline, tta_pipeline = _base_.pop('pipelines').m2det[640][1:]
train_dataloader = dict(
    # The batch of schedule_modern.py.
    batch_size=16,
    dataset=dict(
        _delete_=True,
        type='MultiImageMixDataset',
        dataset=dict(_base_.train_dataloader.dataset, pipeline=loading),
        pipeline=mixing,
    ),
)
val_dataloader = test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
