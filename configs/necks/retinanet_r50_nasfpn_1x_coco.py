# Its pooling halves the maps without rounding up.
_base_ = [
    'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
    '../_base_/models/necks_r50.py',
    '../_base_/models/over_mmdet.py',
]

model = dict(
    data_preprocessor=dict(pad_size_divisor=128),
    backbone=dict(out_indices=(1, 2, 3)),
    neck=dict(_delete_=True, **_base_.pop('necks_r50').nasfpn),
)
