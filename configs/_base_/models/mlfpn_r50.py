# MLFPN in the place of an FPN over mmdet's ResNet-50, at about the FPN's cost. A leaf
# says which of the two its model takes.
mlfpn = dict(
    type='MLFPN',
    num_levels=4,
    num_scales=5,
    tum_channels=64,
    exact_strides=True,
    out_channels=256,
)

# Strides 8 to 128, as RetinaNet's.
mlfpn_from_c3 = dict(
    backbone=dict(out_indices=(1, 2, 3)),
    neck=dict(
        _delete_=True,
        in_channels=(512, 1024, 2048),
        ffm_channels=(128, 128, 128),
        **mlfpn,
    ),
)
# Strides 4 to 64, as those of Faster R-CNN.
mlfpn_from_c2 = dict(
    neck=dict(
        _delete_=True,
        in_channels=(256, 512, 1024, 2048),
        ffm_channels=(128, 128, 128, 128),
        **mlfpn,
    ),
)
