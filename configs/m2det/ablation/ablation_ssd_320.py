# The baseline: SSD's feature maps under the same head, anchors and settings.
_base_ = '../m2det_vgg_320.py'

channels = (512, 1024, 512, 256, 256, 256)
model = dict(
    neck=dict(
        _delete_=True,
        type='SSDNeck',
        in_channels=channels[:2],
        out_channels=channels,
        level_strides=(2, 2, 1, 1),
        level_paddings=(1, 1, 0, 0),
        l2_norm_scale=20,
    )
)
