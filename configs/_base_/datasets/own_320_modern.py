# Data of your own at 320x320, several images mixed into one until the last epochs.
_base_ = ['./own_320.py', './pipelines.py']

loading, mixing, unmixed = _base_.pop('pipelines').mixed[320]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='MultiImageMixDataset',
        dataset=dict(_base_.train_dataloader.dataset, pipeline=loading),
        pipeline=mixing,
    )
)
