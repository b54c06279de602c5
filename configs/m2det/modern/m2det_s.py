# The size of RTMDet-s, over the same ImageNet weights.
_base_ = './m2det_l.py'

model = dict(
    backbone=dict(
        deepen_factor=0.33,
        widen_factor=0.5,
        init_cfg=dict(
            type='Pretrained',
            prefix='backbone.',
            checkpoint='https://mmassets.onedl.ai/mmdetection/v3.0/rtmdet/'
            'cspnext_rsb_pretrain/cspnext-s_imagenet_600e.pth',
        ),
    ),
    neck=dict(
        ffm_channels=(128, 128, 128),
        num_levels=2,
        tum_channels=72,
        thin_channels=144,
    ),
)
