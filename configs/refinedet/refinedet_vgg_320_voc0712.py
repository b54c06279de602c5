_base_ = [
    '../_base_/models/refinedet_vgg.py',
    '../_base_/datasets/refinedet_voc0712_320.py',
    '../_base_/schedules/schedule_120k.py',
]

model = dict(bbox_head=dict(num_classes=20))
default_hooks = dict(checkpoint=dict(save_best='pascal_voc/mAP'))
