_base_ = [
    '../_base_/models/m2det_vgg.py',
    '../_base_/datasets/coco_320.py',
    '../_base_/schedules/schedule_150e.py',
    '../_base_/default_runtime.py',
]
