_base_ = [
    'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
    '../_base_/models/over_mmdet.py',
]

model = dict(
    type='AugFPNSingleStageDetector',
    neck=dict(type='AugFPN', augment_extra=True),
    supervision=dict(type='ConsistentSupervision'),
)
