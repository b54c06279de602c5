_base_ = [
    'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
    '../_base_/models/necks_r50.py',
    '../_base_/models/over_mmdet.py',
]

model = dict(
    backbone=dict(out_indices=(1, 2, 3)),
    neck=dict(_delete_=True, **_base_.pop('necks_r50').bifpn),
    bbox_head=dict(in_channels=160),
)
