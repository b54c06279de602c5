# Strides 4 to 64, as in necks_rfp_r50_320; the anchors keep RetinaNet's sizes.
_base_ = [
    'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
    '../_base_/over_mmdet.py',
]

model = dict(
    backbone=dict(type='DetectoRS_ResNet', output_img=True),
    neck=dict(
        _delete_=True,
        type='RFP',
        in_channels=[256, 512, 1024, 2048],
        out_channels=256,
        num_outs=5,
        rfp_steps=2,
        aspp_out_channels=64,
        rfp_backbone=dict(
            type='DetectoRS_ResNet',
            depth=50,
            rfp_inplanes=256,
            frozen_stages=1,
            norm_eval=True,
            init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
        ),
    ),
    bbox_head=dict(
        anchor_generator=dict(octave_base_scale=8, strides=[4, 8, 16, 32, 64])
    ),
)
