# FPN with P6 and P7 from C5, as in RetinaNet. In the other leaves another neck makes
# five scales for the same head, with anchors of the same sizes.
_base_ = [
    '../_base_/models/m2det_r50.py',
    '../_base_/datasets/coco_320.py',
    '../_base_/schedules/schedule_150e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(strides=(1, 2, 2, 2), out_indices=(1, 2, 3)),
    neck=dict(
        _delete_=True,
        type='FPN',
        in_channels=[512, 1024, 2048],
        out_channels=256,
        num_outs=5,
        add_extra_convs='on_input',
    ),
    bbox_head=dict(
        anchor_generator=dict(sizes=[0.08, 0.15, 0.33, 0.57, 0.81, 1.05], steps=None)
    ),
)
