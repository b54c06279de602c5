# The size of RTMDet-tiny, over the same ImageNet weights.
_base_ = './m2det_l.py'

model = dict(
    backbone=dict(
        deepen_factor=0.167,
        widen_factor=0.375,
        init_cfg=dict(
            type='Pretrained',
            prefix='backbone.',
            checkpoint='https://mmassets.onedl.ai/mmdetection/v3.0/rtmdet/'
            'cspnext_rsb_pretrain/cspnext-tiny_imagenet_600e.pth',
        ),
    ),
    neck=dict(
        ffm_channels=(96, 96, 96),
        num_levels=2,
        tum_channels=48,
        thin_channels=96,
    ),
)
