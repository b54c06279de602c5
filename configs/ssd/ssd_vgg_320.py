_base_ = [
    '../_base_/models/ssd_vgg.py',
    '../_base_/datasets/coco_320.py',
    '../_base_/schedules/schedule_150e.py',
    '../_base_/default_runtime.py',
]

# Steps from the maps: 8, 16, 32, 64, 320 / 3 and 320 pixels.
model = dict(bbox_head=dict(anchor_generator=dict(input_size=320, steps=None)))
