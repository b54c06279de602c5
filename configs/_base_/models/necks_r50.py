# Necks with five scales over ResNet-50, the same under each head. A leaf takes one:
# `neck = dict(_delete_=True, **_base_.pop('necks_r50').bifpn)`.


def ssd(*extra: int) -> dict:
    return dict(
        type='SSDNeck',
        in_channels=[512, 1024, 2048],
        out_channels=[512, 1024, 2048, *extra],
        level_strides=(2, 2),
        level_paddings=(1, 1),
        l2_norm_scale=None,
        # As in the backbone.
        norm_cfg=dict(type='BN'),
    )


necks_r50 = dict(
    # Width and depth of EfficientDet-D3.
    bifpn=dict(
        type='BiFPN',
        in_channels=[512, 1024, 2048],
        out_channels=160,
        num_outs=5,
        num_stages=6,
    ),
    # Seven stacks, as in the paper.
    nasfpn=dict(
        type='NASFPN',
        in_channels=[512, 1024, 2048],
        out_channels=256,
        num_outs=5,
        stack_times=7,
        norm_cfg=dict(type='BN'),
    ),
    # The recursion of DetectoRS without switchable atrous convolution. The neck holds
    # the second backbone, whose stages take the map of their own stride: it needs C2,
    # so that the five scales have the strides 4 to 64 instead of 8 to 128.
    rfp=dict(
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
            init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
        ),
    ),
    # SSD's extra layers after the last map.
    ssd=ssd(512, 256),
    # RefineDet's transfer connection blocks over extra layers of SSD, without refined
    # anchors.
    tcb=[
        ssd(512, 512),
        dict(
            type='TCB',
            in_channels=[512, 1024, 2048, 512, 512],
            norm_cfg=dict(type='BN'),
        ),
    ],
)
