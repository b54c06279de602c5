# Strides 4 to 64, as in necks_rfp_r50_320; the anchors keep RetinaNet's sizes.
_base_ = [
    'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
    '../_base_/models/necks_r50.py',
    '../_base_/models/over_mmdet.py',
]

model = dict(
    backbone=dict(type='DetectoRS_ResNet', output_img=True),
    neck=dict(_delete_=True, **_base_.pop('necks_r50').rfp),
    bbox_head=dict(
        anchor_generator=dict(octave_base_scale=8, strides=[4, 8, 16, 32, 64])
    ),
)
# As in the first backbone.
model['neck']['rfp_backbone'].update(frozen_stages=1)
