# RefineDet with ResNet-101: batch norm in the neck, no L2 norms.
_base_ = './refinedet_vgg.py'

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(
        _delete_=True,
        type='RefineDetResNet',
        depth=101,
        extra_channels=(512,),
        norm_eval=False,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet101'),
    ),
    neck=dict(in_channels=(512, 1024, 2048, 512), norm_cfg=dict(type='BN')),
)
