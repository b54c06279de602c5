_base_ = [
    'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
    '../_base_/models/mlfpn_r50.py',
]

model = _base_.mlfpn_from_c3
