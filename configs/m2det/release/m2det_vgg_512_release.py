# M2Det VGG-512 with the settings of the authors' release.
_base_ = ['../m2det_vgg_512.py', '../../_base_/release.py']

model = _base_.release_model

train_pipeline = [
    *_base_.release_augmentation,
    *_base_.train_pipeline[4:6],  # resize, flip
    # Objects of more than a hundredth of the image's side.
    dict(type='FilterAnnotations', min_gt_bbox_wh=[_base_.input_size / 100] * 2),
    _base_.train_pipeline[-1],
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
