_base_ = [
    'mmdet::pafpn/faster-rcnn_r50_pafpn_1x_coco.py',
    '../_base_/models/over_mmdet.py',
]

model = dict(
    roi_head=dict(
        # Large RoIs would take hundreds of samples a bin from the finest map.
        bbox_roi_extractor=dict(
            type='AllLevelRoIExtractor', roi_layer=dict(sampling_ratio=2)
        ),
        bbox_head=dict(type='PANetBBoxHead'),
    )
)
