_base_ = [
    '../_base_/models/m2det_r50.py',
    '../_base_/datasets/coco_320.py',
    '../_base_/schedules/schedule_150e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(depth=101, init_cfg=dict(checkpoint='torchvision://resnet101'))
)
