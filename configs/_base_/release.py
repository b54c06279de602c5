# What the authors' release does otherwise than the paper: leaves in m2det/release take
# these over a leaf of the paper.
release_mean = [104, 117, 123]

release_model = dict(
    data_preprocessor=dict(mean=release_mean, std=[1, 1, 1], bgr_to_rgb=False),
    neck=dict(share_leach=True, extra_norm=True, sfam=False),
    bbox_head=dict(
        anchor_generator=dict(clip=True),
        bbox_coder=dict(_delete_=True, type='SSDBBoxCoder'),
        # PyTorch's own weights, and no bias.
        init_cfg=dict(
            type='Kaiming',
            layer='Conv2d',
            distribution='uniform',
            a=5**0.5,
            mode='fan_in',
            nonlinearity='leaky_relu',
            bias=0,
        ),
    ),
    train_cfg=dict(rank_by_shifted_scores=True),
    test_cfg=dict(
        score_thr=0.1,
        nms=dict(offset=1, variant='original', max_per_class=50),
        max_per_img=-1,
    ),
)

# Before the resizing and the flip.
release_augmentation = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='MinIoURandomCrop',
        min_ious=(0.1, 0.3, 0.5, 0.7, 0.9),
        min_crop_size=0.3,
    ),
    dict(type='SSDPhotometricDistortion'),
    dict(type='Expand', mean=release_mean, to_rgb=False, ratio_range=(1, 4), prob=0.6),
]
release_dataset = dict(
    keep_crowds=True,
    inclusive_boxes=True,
    filter_cfg=dict(filter_empty_gt=False, min_size=0),
)
release_evaluator = dict(type='InclusiveCocoMetric')

release_train_cfg = dict(max_epochs=160)
release_param_scheduler = [
    dict(
        type='WarmupStepLR',
        warmup=5,
        start_factor=2.5e-4,
        milestones=[90, 110, 130, 150],
        factors=[0.5, 0.1, 0.01, 0.001],
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
release_optim_wrapper = dict(optimizer=dict(lr=4e-3), clip_grad=None)
# Of the batches that were tried, 16 on each of two GPUs is nearest to the reported AP.
release_batch_size = 16
release_auto_scale_lr = dict(enable=False)
