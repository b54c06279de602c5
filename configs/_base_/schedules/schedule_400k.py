# RefineDet's for COCO, in iterations: 1e-3 at a total batch of 32, steps at 280k and
# 360k.
_base_ = './schedule_120k.py'

train_cfg = dict(max_iters=400000)
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=False, milestones=[280000, 360000]),
]
