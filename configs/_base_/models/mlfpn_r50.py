# MLFPN in the place of an FPN over mmdet's ResNet-50, at about the FPN's cost. A leaf
# says which of the two its model takes.
_base_ = './over_mmdet.py'


def mlfpn(*in_channels: int) -> dict:
    return dict(
        _delete_=True,
        type='MLFPN',
        in_channels=in_channels,
        ffm_channels=(128,) * len(in_channels),
        num_levels=4,
        num_scales=5,
        tum_channels=64,
        exact_strides=True,
        out_channels=256,
    )


# Strides 8 to 128, as RetinaNet's.
mlfpn_from_c3 = dict(backbone=dict(out_indices=(1, 2, 3)), neck=mlfpn(512, 1024, 2048))
# Strides 4 to 64, as those of Faster R-CNN.
mlfpn_from_c2 = dict(neck=mlfpn(256, 512, 1024, 2048))
