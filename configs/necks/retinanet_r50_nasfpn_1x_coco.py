# Its pooling halves the maps without rounding up.
_base_ = [
    'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
    '../_base_/over_mmdet.py',
]

model = dict(
    data_preprocessor=dict(pad_size_divisor=128),
    neck=dict(
        _delete_=True,
        type='NASFPN',
        in_channels=[256, 512, 1024, 2048],
        out_channels=256,
        num_outs=5,
        start_level=1,
        stack_times=7,
        norm_cfg=dict(type='BN'),
    ),
)
