# SSD's maps, by backbone. A config takes one in the place of MLFPN:
# `neck = dict(_delete_=True, **_base_.pop('ssd_necks').vgg)`.

ssd_necks = dict(
    vgg=dict(
        type='SSDNeck',
        in_channels=(512, 1024),
        out_channels=(512, 1024, 512, 256, 256, 256),
        level_strides=(2, 2, 1, 1),
        level_paddings=(1, 1, 0, 0),
    ),
    # From scratch the extra layers need a norm too.
    r18_bccd=dict(
        type='SSDNeck',
        in_channels=(48, 96),
        out_channels=(48, 96, 48, 24, 24, 24),
        level_strides=(2, 2, 1, 1),
        level_paddings=(1, 1, 0, 0),
        norm_cfg=dict(type='BN', momentum=0.1),
    ),
    r18_scenes=dict(
        type='SSDNeck',
        in_channels=(48, 96),
        out_channels=(48, 96, 48, 24),
        level_strides=(2, 2),
        level_paddings=(1, 1),
        norm_cfg=dict(type='BN', momentum=0.1),
    ),
)
