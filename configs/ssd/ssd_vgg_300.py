_base_ = [
    '../_base_/models/ssd_vgg.py',
    '../_base_/datasets/coco_300.py',
    '../_base_/schedules/schedule_150e.py',
    '../_base_/default_runtime.py',
]
