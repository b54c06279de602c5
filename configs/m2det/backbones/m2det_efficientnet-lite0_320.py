_base_ = [
    '../../_base_/models/m2det_three_maps_light.py',
    '../../_base_/models/efficientnet_lite0.py',
    '../../_base_/datasets/coco_320.py',
    '../../_base_/schedules/schedule_150e.py',
    '../../_base_/default_runtime.py',
]

model = _base_.pop('lite0')
