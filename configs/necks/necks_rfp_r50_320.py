# The recursion of DetectoRS without switchable atrous convolution. The neck holds the
# second backbone, whose stages take the map of their own stride: it needs C2, so that
# the five scales have the strides 4 to 64 instead of 8 to 128.
_base_ = '../_base_/necks_r50_320.py'

resnet = dict(
    type='DetectoRS_ResNet',
    strides=(1, 2, 2, 2),
    out_indices=(0, 1, 2, 3),
)
model = dict(
    backbone=dict(output_img=True, **resnet),
    neck=dict(
        _delete_=True,
        type='RFP',
        in_channels=[256, 512, 1024, 2048],
        out_channels=256,
        num_outs=5,
        rfp_steps=2,
        aspp_out_channels=64,
        rfp_backbone=dict(
            depth=50,
            rfp_inplanes=256,
            frozen_stages=-1,
            norm_eval=False,
            init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
            **resnet,
        ),
    ),
)
