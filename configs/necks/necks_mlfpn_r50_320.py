# Eight TUMs of 256 channels; the base feature is made of C3, C4 and C5.
_base_ = './necks_fpn_r50_320.py'

model = dict(
    neck=dict(
        _delete_=True,
        type='MLFPN',
        in_channels=[512, 1024, 2048],
        ffm_channels=(256, 256, 256),
        num_scales=5,
        exact_strides=True,
    )
)
