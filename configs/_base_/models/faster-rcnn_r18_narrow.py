# A narrow Faster R-CNN that trains from scratch on a CPU: a ResNet-18 of 24 channels,
# anchors and RoIs of 16 to 128 pixels. The RoIAlign of two samples a bin is cheap.
_base_ = 'mmdet::_base_/models/faster-rcnn_r50_fpn.py'

channels = 64
strides = _base_.model.roi_head.bbox_roi_extractor.featmap_strides
proposals = dict(nms_pre=500, max_per_img=200)
model = dict(
    backbone=dict(
        depth=18,
        base_channels=24,
        stem_channels=24,
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=None,
    ),
    neck=dict(
        in_channels=[24, 48, 96, 192],
        out_channels=channels,
        num_outs=len(strides),
        norm_cfg=dict(type='BN'),
    ),
    rpn_head=dict(
        in_channels=channels,
        feat_channels=channels,
        anchor_generator=dict(scales=[4], strides=strides),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(
            roi_layer=dict(sampling_ratio=2), out_channels=channels, finest_scale=14
        ),
        bbox_head=dict(in_channels=channels, fc_out_channels=128),
    ),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=128)),
        rpn_proposal=proposals,
        rcnn=dict(sampler=dict(num=64)),
    ),
    test_cfg=dict(rpn=proposals),
)
