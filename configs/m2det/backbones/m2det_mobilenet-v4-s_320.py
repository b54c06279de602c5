_base_ = [
    '../../_base_/models/m2det_three_maps_light.py',
    '../../_base_/datasets/coco_320.py',
    '../../_base_/schedules/schedule_150e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        name='mobilenetv4_conv_small.e2400_r224_in1k',
        strides=(8, 16, 32),
        pretrained=True,
    )
)
