_base_ = './m2det_vgg.py'

model = dict(
    data_preprocessor=dict(std=[58.395, 57.12, 57.375]),
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=50,
        # Res3 and Res5 at strides 8 and 16: Res4 does not shrink the map.
        strides=(1, 2, 1, 2),
        out_indices=(1, 3),
        norm_eval=False,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    neck=dict(in_channels=(512, 2048)),
)
