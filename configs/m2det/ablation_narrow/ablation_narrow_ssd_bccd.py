# The baseline: SSD's feature maps under the same head, anchors and settings.
_base_ = '../../_base_/m2det_r18_bccd_adamw.py'

channels = (48, 96, 48, 24, 24, 24)
model = dict(
    neck=dict(
        _delete_=True,
        type='SSDNeck',
        in_channels=channels[:2],
        out_channels=channels,
        level_strides=(2, 2, 1, 1),
        level_paddings=(1, 1, 0, 0),
        l2_norm_scale=20,
        # From scratch the extra layers need a norm too.
        norm_cfg=dict(type='BN', momentum=0.1),
    )
)
