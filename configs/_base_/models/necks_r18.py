# Nine necks under one head, small enough to train from scratch on a CPU: a ResNet-18 of
# 24 channels, five scales, batch norm in every neck. Channels make the detectors about
# equally large. A leaf takes one over m2det_r18_bccd or m2det_r18_scenes:
# `model = _base_.pop('necks_r18').bccd.fpn`.


def pyramid(name: str, in_channels: list, out_channels: int, **options: object) -> dict:
    return dict(
        _delete_=True,
        type=name,
        in_channels=in_channels,
        out_channels=out_channels,
        num_outs=5,
        norm_cfg=dict(type='BN'),
        **options,
    )


def ssd(maps: list, extra: list) -> dict:
    return dict(
        type='SSDNeck',
        in_channels=maps,
        out_channels=[*maps, *extra],
        level_strides=(2,) * len(extra),
        level_paddings=(1,) * len(extra),
        l2_norm_scale=None,
        norm_cfg=dict(type='BN'),
    )


def resnet(**options: object) -> dict:
    # DetectoRS has no ResNet-18: both backbones of RFP are a ResNet-50 of 12 channels.
    return dict(
        type='DetectoRS_ResNet',
        depth=50,
        base_channels=12,
        stem_channels=12,
        norm_eval=False,
        **options,
    )


def necks(maps: list, pafpn: int, extra_of_tcb: list, extra_of_ssd: list) -> dict:
    extra_convs = dict(add_extra_convs='on_output')
    return dict(
        fpn=pyramid('FPN', maps, 96, **extra_convs),
        pafpn=pyramid('PAFPN', maps, pafpn, **extra_convs),
        nasfpn=pyramid('NASFPN', maps, 48, stack_times=3),
        # The second backbone takes each map at its own stride, so that the scales have
        # the strides 4 to 64.
        rfp=pyramid(
            'RFP',
            [48, 96, 192, 384],
            76,
            rfp_steps=2,
            aspp_out_channels=19,
            rfp_backbone=resnet(rfp_inplanes=76),
            **extra_convs,
        ),
        bifpn=pyramid('BiFPN', maps, 112, num_stages=3),
        augfpn=pyramid('AugFPN', maps, 88, **extra_convs),
        tcb=[
            ssd(maps, extra_of_tcb),
            dict(
                type='TCB',
                in_channels=[*maps, *extra_of_tcb],
                out_channels=48,
                norm_cfg=dict(type='BN'),
            ),
        ],
        ssd=dict(_delete_=True, **ssd(maps, extra_of_ssd)),
        mlfpn=dict(
            _delete_=True,
            type='MLFPN',
            in_channels=maps,
            ffm_channels=(48,) * len(maps),
            num_levels=2,
            num_scales=5,
            tum_channels=48,
            norm_cfg=dict(type='BN'),
            exact_strides=True,
        ),
    )


def model(name: str, neck: dict | list, out_indices: tuple, sizes: list) -> dict:
    backbone = dict(
        num_stages=4,
        strides=(1, 2, 2, 2),
        dilations=(1, 1, 1, 1),
        out_indices=out_indices,
    )
    if name == 'rfp':
        backbone = resnet(_delete_=True, output_img=True)
    return dict(
        backbone=backbone,
        neck=neck,
        bbox_head=dict(anchor_generator=dict(sizes=sizes)),
    )


necks_r18 = dict(
    # At 320 pixels strides 8 to 128.
    bccd={
        name: model(name, neck, (1, 2, 3), [0.06, 0.12, 0.2, 0.32, 0.5, 0.8])
        for name, neck in necks([48, 96, 192], 72, [80, 80], [192, 192]).items()
    },
    # At 128 pixels strides 4 to 64, so that anchors are as large beside their strides
    # as on BCCD: every neck takes C2 too.
    scenes={
        name: model(name, neck, (0, 1, 2, 3), [0.08, 0.14, 0.24, 0.4, 0.65, 1.0])
        for name, neck in necks([24, 48, 96, 192], 68, [80], [272]).items()
    },
)
