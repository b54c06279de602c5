# SSD's extra layers after the last map; batch norm as in the backbone.
_base_ = '../_base_/necks_r50_320.py'

model = dict(
    neck=dict(
        _delete_=True,
        type='SSDNeck',
        in_channels=[512, 1024, 2048],
        out_channels=[512, 1024, 2048, 512, 256],
        level_strides=(2, 2),
        level_paddings=(1, 1),
        l2_norm_scale=None,
        norm_cfg=dict(type='BN'),
    )
)
