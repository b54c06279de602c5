_base_ = [
    'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
    '../_base_/models/mlfpn_r50.py',
]

model = _base_.mlfpn_from_c3
