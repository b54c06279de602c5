# A narrow PANet on generated scenes, from scratch on a CPU.
_base_ = '../../mlfpn/mlfpn_narrow/faster-rcnn_r18_fpn_scenes.py'

extractor = _base_.model.roi_head.bbox_roi_extractor
model = dict(
    neck=dict(type='PAFPN'),
    roi_head=dict(
        bbox_roi_extractor=dict(
            _delete_=True,
            type='AllLevelRoIExtractor',
            roi_layer=extractor.roi_layer,
            out_channels=extractor.out_channels,
            featmap_strides=extractor.featmap_strides,
        ),
        # A first layer for each level: half as wide.
        bbox_head=dict(type='PANetBBoxHead', fc_out_channels=64),
    ),
)
