# SSD300 as in the paper, under this package's head: VGG-16 and extra layers.
_base_ = ['./m2det_vgg.py', './ssd_necks.py']

model = dict(
    neck=dict(_delete_=True, **_base_.pop('ssd_necks').vgg),
    bbox_head=dict(
        in_channels=(512, 1024, 512, 256, 256, 256),
        anchor_generator=dict(
            input_size=300,
            sizes=[0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05],
            steps=[8, 16, 32, 64, 100, 300],
            ratios=[[2], [2, 3], [2, 3], [2, 3], [2], [2]],
        ),
    ),
    test_cfg=dict(
        score_thr=0.01,
        nms=dict(_delete_=True, type='nms', iou_threshold=0.45),
    ),
)
