_base_ = [
    '../_base_/models/refinedet_vgg.py',
    '../_base_/datasets/refinedet_coco_320.py',
    '../_base_/schedules/schedule_400k.py',
]
