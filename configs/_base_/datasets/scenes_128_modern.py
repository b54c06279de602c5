# The same scenes, several of them mixed into an image until the last epochs.
_base_ = ['./scenes_128.py', './pipelines.py']

loading, mixing, unmixed = _base_.pop('pipelines').mixed[128]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='MultiImageMixDataset',
        dataset=dict(_base_.train_dataloader.dataset, pipeline=loading),
        pipeline=mixing,
    )
)
