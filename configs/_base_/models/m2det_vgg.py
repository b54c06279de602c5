# M2Det as in the paper: VGG-16, 8 TUMs of 6 scales and 256 channels, SFAM.
model = dict(
    type='M2Det',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[1, 1, 1],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='SSDVGG',
        depth=16,
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://vgg16_caffe'),
    ),
    neck=dict(type='MLFPN', in_channels=(512, 1024)),
    bbox_head=dict(
        type='M2DetHead',
        num_classes=80,
        anchor_generator=dict(
            type='M2DetAnchorGenerator',
            input_size=320,
            sizes=[0.08, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05],
            steps=[8, 16, 32, 64, 107, 320],
            ratios=[2, 3],
        ),
        # As mmdet's DeltaXYWHBBoxCoder, which lets the host wait for the GPU.
        bbox_coder=dict(type='SSDBBoxCoder', clip_border=True),
    ),
    train_cfg=dict(
        assigner=dict(
            type='MaxIoUAssigner',
            pos_iou_thr=0.5,
            neg_iou_thr=0.5,
            gt_max_assign_all=False,
        ),
        smoothl1_beta=1.0,
        allowed_border=-1,
        pos_weight=-1,
        neg_pos_ratio=3,
        # More than half within a crowd: neither positive nor negative.
        ignore_iof_thr=0.5,
    ),
    test_cfg=dict(
        score_thr=0.05,
        nms=dict(type='soft_nms', iou_threshold=0.3, method='linear', min_score=0.001),
        max_per_img=200,
    ),
)
