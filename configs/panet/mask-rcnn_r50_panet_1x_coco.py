_base_ = [
    'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
    '../_base_/models/over_mmdet.py',
]

# Large RoIs would take hundreds of samples a bin from the finest map.
extractor = dict(type='AllLevelRoIExtractor', roi_layer=dict(sampling_ratio=2))
model = dict(
    neck=dict(type='PAFPN'),
    roi_head=dict(
        bbox_roi_extractor=extractor,
        bbox_head=dict(type='PANetBBoxHead'),
        mask_roi_extractor=extractor,
        mask_head=dict(type='PANetMaskHead'),
    ),
)
