# Necks under one head, on EfficientNet-Lite0: six scales of strides 8 to 256 at 320
# pixels, batch norm in every neck. Channels make necks about equally large. A leaf
# takes one over m2det_efficientnet-lite0_bccd:
# `model = dict(neck=_base_.pop('necks_lite0').fpn)`.
maps = [40, 112, 320]


def pyramid(name: str, out_channels: int, **options: object) -> dict:
    return dict(
        _delete_=True,
        type=name,
        in_channels=maps,
        out_channels=out_channels,
        num_outs=6,
        norm_cfg=dict(type='BN'),
        **options,
    )


def mlfpn(num_levels: int, tum_channels: int) -> dict:
    return dict(num_levels=num_levels, tum_channels=tum_channels, exact_strides=True)


necks_lite0 = dict(
    ssd=dict(
        _delete_=True,
        type='SSDNeck',
        in_channels=maps,
        out_channels=[*maps, 192, 192, 192],
        level_strides=(2, 2, 2),
        level_paddings=(1, 1, 1),
        l2_norm_scale=None,
        norm_cfg=dict(type='BN'),
    ),
    fpn=pyramid('FPN', 96, add_extra_convs='on_output'),
    pafpn=pyramid('PAFPN', 72, add_extra_convs='on_output'),
    bifpn=pyramid('BiFPN', 112, num_stages=3),
    mlfpn_2=mlfpn(2, 48),
    mlfpn_8=mlfpn(8, 26),
)
