# Fine-tuning a checkpoint of the authors on a data set of your own, after
# m2det convert RELEASED.pth m2det_vgg_320_release work_dirs/m2det_vgg_320_release.pth
_base_ = ['../m2det_vgg_320_bccd.py', '../../_base_/release.py']

load_from = 'work_dirs/m2det_vgg_320_release.pth'
# The checkpoint has all weights; those of other classes are logged and left out.
model = dict(**_base_.release_model, backbone=dict(init_cfg=None))

train_pipeline = [
    *_base_.release_augmentation,
    *_base_.train_pipeline[4:6],  # resize, flip
    # Objects of more than a hundredth of the image's side.
    dict(type='FilterAnnotations', min_gt_bbox_wh=[_base_.input_size / 100] * 2),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **_base_.release_dataset))
val_evaluator = test_evaluator = _base_.release_evaluator
