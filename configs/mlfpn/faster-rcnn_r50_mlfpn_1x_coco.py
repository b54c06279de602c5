_base_ = [
    'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    '../_base_/models/mlfpn_r50.py',
]

model = _base_.mlfpn_from_c2
