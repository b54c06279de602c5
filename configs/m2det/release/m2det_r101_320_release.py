# M2Det R101-320 with the settings of the authors' release.
_base_ = ['../m2det_r101_320.py', '../../_base_/release.py']

model = _base_.release_model

# Resize, flip and pack as the paper's leaf does.
train_pipeline = _base_.release_augmentation + [
    _base_.train_pipeline[step] for step in (4, 5, 7)
]
train_dataloader = dict(
    batch_size=_base_.release_batch_size,
    dataset=dict(pipeline=train_pipeline, **_base_.release_dataset),
)
val_evaluator = test_evaluator = _base_.release_evaluator

train_cfg = _base_.release_train_cfg
param_scheduler = _base_.release_param_scheduler
optim_wrapper = _base_.release_optim_wrapper
auto_scale_lr = _base_.release_auto_scale_lr
