# What the network of the authors' release does otherwise than the paper's. A leaf takes
# it over a leaf of the paper: `model = _base_.pop('release_model')`.
release_model = dict(
    data_preprocessor=dict(mean=[104, 117, 123], std=[1, 1, 1], bgr_to_rgb=False),
    neck=dict(share_leach=True, extra_norm=True, sfam=False),
    bbox_head=dict(
        anchor_generator=dict(clip=True),
        bbox_coder=dict(_delete_=True, type='SSDBBoxCoder'),
        # PyTorch's own weights, and biases of 0.
        init_cfg=dict(
            type='Kaiming',
            layer='Conv2d',
            distribution='uniform',
            a=5**0.5,
            mode='fan_in',
            nonlinearity='leaky_relu',
        ),
    ),
    train_cfg=dict(rank_by_shifted_scores=True),
    test_cfg=dict(
        score_thr=0.1,
        nms=dict(offset=1, variant='original', max_per_class=50),
        max_per_img=-1,
    ),
)
