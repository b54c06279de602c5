# A narrow RefineDet that trains from scratch on a CPU: three stages of a ResNet-18 of
# 24 channels and two further blocks, a neck of 48 channels.
_base_ = './refinedet_vgg.py'

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(
        _delete_=True,
        type='RefineDetResNet',
        depth=18,
        base_channels=24,
        stem_channels=24,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(1, 2),
        extra_channels=(96, 96),
        norm_eval=False,
    ),
    neck=dict(in_channels=(48, 96, 96, 96), out_channels=48, norm_cfg=dict(type='BN')),
    bbox_head=dict(bbox_coder=dict(clip_border=True)),
    # Few images teach faster where an almost matching anchor is no negative.
    train_cfg=dict(assigner=dict(neg_iou_thr=0.35)),
)
