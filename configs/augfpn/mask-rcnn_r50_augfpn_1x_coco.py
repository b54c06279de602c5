_base_ = [
    'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
    '../_base_/models/over_mmdet.py',
]

model = dict(
    type='AugFPNTwoStageDetector',
    neck=dict(type='AugFPN'),
    roi_head=dict(
        bbox_roi_extractor=dict(type='SoftRoIExtractor'),
        mask_roi_extractor=dict(type='SoftRoIExtractor'),
    ),
    supervision=dict(type='ConsistentSupervision'),
)
