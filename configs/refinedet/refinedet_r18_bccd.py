# The narrow model on blood cells, from scratch on a CPU.
_base_ = [
    '../_base_/models/refinedet_r18_narrow.py',
    '../_base_/narrow_bccd.py',
]

model = dict(
    bbox_head=dict(
        num_classes=len(_base_.classes),
        # 26, 51, 102 and 205 pixels: platelets are small.
        anchor_generator=dict(input_size=320, scale=3.2),
    )
)
optim_wrapper = _base_.adamw

# Its maps can be made of smaller images than those of M2Det.
tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0][0].scale = (256, 256)
