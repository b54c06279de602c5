_base_ = [
    '../../_base_/models/m2det_three_maps_light.py',
    '../../_base_/datasets/coco_320.py',
    '../../_base_/schedules/schedule_150e_adamw.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    # As RTMDet's weights need it.
    data_preprocessor=dict(
        mean=[103.53, 116.28, 123.675], std=[57.375, 57.12, 58.395], bgr_to_rgb=False
    ),
    backbone=dict(
        _delete_=True,
        type='CSPNeXt',
        deepen_factor=0.33,
        widen_factor=0.5,
        init_cfg=dict(
            type='Pretrained',
            prefix='backbone.',
            checkpoint='https://mmassets.onedl.ai/mmdetection/v3.0/rtmdet/'
            'cspnext_rsb_pretrain/cspnext-s_imagenet_600e.pth',
        ),
    ),
)
