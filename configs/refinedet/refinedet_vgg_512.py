_base_ = [
    '../_base_/models/refinedet_vgg.py',
    '../_base_/datasets/refinedet_coco_512.py',
    '../_base_/schedules/schedule_400k.py',
]

model = dict(bbox_head=dict(anchor_generator=dict(input_size=512)))
