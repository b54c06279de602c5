# Width and depth of EfficientDet-D3.
_base_ = [
    'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
    '../_base_/over_mmdet.py',
]

model = dict(
    backbone=dict(out_indices=(1, 2, 3)),
    neck=dict(
        _delete_=True,
        type='BiFPN',
        in_channels=[512, 1024, 2048],
        out_channels=160,
        num_outs=5,
        num_stages=6,
    ),
    bbox_head=dict(in_channels=160),
)
