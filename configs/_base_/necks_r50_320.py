# One head over any neck: ResNet-50 at 320 pixels, five scales of strides 8 to 128, with
# anchors of the same sizes for all. The neck here is the FPN; leaves replace it.
_base_ = [
    './models/m2det_r50.py',
    './datasets/coco_320.py',
    './schedules/schedule_150e.py',
    './default_runtime.py',
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
