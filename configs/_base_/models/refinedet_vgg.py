# RefineDet with VGG-16: the code of the authors and its PyTorch port. Matching and
# losses are those of M2Det.
_base_ = './m2det_vgg.py'

model = dict(
    type='RefineDet',
    data_preprocessor=dict(mean=[123, 117, 104]),
    backbone=dict(
        _delete_=True,
        type='RefineDetVGG',
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://vgg16_caffe'),
    ),
    neck=dict(_delete_=True, type='TCB', in_channels=(512, 512, 1024, 512)),
    arm_head=dict(type='ARMHead'),
    bbox_head=dict(
        type='ODMHead',
        anchor_generator=dict(
            _delete_=True,
            type='RefineDetAnchorGenerator',
            input_size=320,
            strides=[8, 16, 32, 64],
        ),
        # The port's, for equal losses.
        bbox_coder=dict(clip_border=False, eps=1e-5),
    ),
    # 'positives' is the port's rule.
    train_cfg=dict(objectness_thr=0.01, filter_rule='drop'),
    test_cfg=dict(
        _delete_=True,
        objectness_thr=0.01,
        score_thr=0.01,
        nms_pre=400,
        nms=dict(type='nms', iou_threshold=0.45),
        max_per_img=200,
    ),
)
