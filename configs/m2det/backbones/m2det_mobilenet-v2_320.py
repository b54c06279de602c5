_base_ = [
    '../../_base_/models/m2det_three_maps_light.py',
    '../../_base_/datasets/coco_320.py',
    '../../_base_/schedules/schedule_150e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        _delete_=True,
        type='MobileNetV2',
        out_indices=(2, 4, 7),
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://mmdet/mobilenet_v2'),
    )
)
