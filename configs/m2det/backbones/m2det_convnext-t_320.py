_base_ = [
    '../../_base_/models/m2det_three_maps.py',
    '../../_base_/datasets/coco_320.py',
    '../../_base_/schedules/schedule_150e_adamw.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        name='convnext_tiny.in12k_ft_in1k',
        strides=(8, 16, 32),
        pretrained=True,
        drop_path_rate=0.2,
    )
)
