# Nine necks under one head, small enough to train from scratch on a CPU: a ResNet-18 of
# 24 channels, five scales of strides 8 to 128, batch norm in every neck. Channels make
# the detectors about equally large; a leaf chooses a neck by its name.
maps = dict(in_channels=[48, 96, 192], norm_cfg=dict(type='BN'))
pyramid = dict(num_outs=5, _delete_=True, **maps)
fpn = dict(add_extra_convs='on_output', **pyramid)
ssd = dict(
    type='SSDNeck',
    level_strides=(2, 2),
    level_paddings=(1, 1),
    l2_norm_scale=None,
    **maps,
)
# DetectoRS has no ResNet-18: both backbones of RFP are a ResNet-50 of 12 channels. The
# second takes each map at its own stride, so that the scales have strides 4 to 64.
resnet = dict(
    type='DetectoRS_ResNet',
    depth=50,
    base_channels=12,
    stem_channels=12,
    strides=(1, 2, 2, 2),
    out_indices=(0, 1, 2, 3),
    frozen_stages=-1,
    norm_eval=False,
)
rfp_backbone = dict(output_img=True, _delete_=True, **resnet)
necks = dict(
    fpn=dict(type='FPN', out_channels=96, **fpn),
    pafpn=dict(type='PAFPN', out_channels=72, **fpn),
    nasfpn=dict(type='NASFPN', out_channels=48, stack_times=3, **pyramid),
    rfp=dict(
        fpn,
        type='RFP',
        in_channels=[48, 96, 192, 384],
        out_channels=76,
        rfp_steps=2,
        aspp_out_channels=19,
        rfp_backbone=dict(rfp_inplanes=76, **resnet),
    ),
    bifpn=dict(type='BiFPN', out_channels=112, num_stages=3, **pyramid),
    augfpn=dict(type='AugFPN', out_channels=88, **fpn),
    tcb=[
        dict(ssd, out_channels=[48, 96, 192, 80, 80]),
        dict(
            type='TCB',
            in_channels=[48, 96, 192, 80, 80],
            out_channels=48,
            norm_cfg=dict(type='BN'),
        ),
    ],
    ssd=dict(ssd, out_channels=[48, 96, 192, 192, 192], _delete_=True),
    mlfpn=dict(
        type='MLFPN',
        ffm_channels=(48, 48, 48),
        num_levels=2,
        num_scales=5,
        tum_channels=48,
        exact_strides=True,
        _delete_=True,
        **maps,
    ),
)
narrow_model = dict(
    backbone=dict(
        num_stages=4,
        strides=(1, 2, 2, 2),
        dilations=(1, 1, 1, 1),
        out_indices=(1, 2, 3),
    ),
    bbox_head=dict(anchor_generator=dict(sizes=[0.08, 0.14, 0.24, 0.4, 0.65, 1.0])),
)
