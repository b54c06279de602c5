_base_ = [
    'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
    '../_base_/models/over_mmdet.py',
]

model = dict(
    type='AugFPNSingleStageDetector',
    neck=dict(type='AugFPN', augment_extra=True),
    supervision=dict(type='ConsistentSupervision'),
)
