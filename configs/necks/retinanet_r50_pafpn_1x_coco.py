_base_ = [
    'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
    '../_base_/models/over_mmdet.py',
]

model = dict(neck=dict(type='PAFPN'))
