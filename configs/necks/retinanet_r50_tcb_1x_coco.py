# The neck of necks_tcb_r50_320.
_base_ = [
    'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
    '../_base_/over_mmdet.py',
]

channels = [512, 1024, 2048, 512, 512]
model = dict(
    backbone=dict(out_indices=(1, 2, 3)),
    neck=[
        dict(
            type='SSDNeck',
            in_channels=channels[:3],
            out_channels=channels,
            level_strides=(2, 2),
            level_paddings=(1, 1),
            l2_norm_scale=None,
            norm_cfg=dict(type='BN'),
        ),
        dict(type='TCB', in_channels=channels, norm_cfg=dict(type='BN')),
    ],
)
