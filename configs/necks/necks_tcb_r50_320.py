# RefineDet's transfer connection blocks over extra layers of SSD, without refined
# anchors.
_base_ = '../_base_/necks_r50_320.py'

channels = [512, 1024, 2048, 512, 512]
model = dict(
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
    ]
)
