# Group norm in the neck: it sees each image alone, in training and after it.
_base_ = '../m2det_r18_scenes.py'

model = dict(
    neck=dict(
        num_levels=8,
        tum_channels=48,
        norm_cfg=dict(_delete_=True, type='GN', num_groups=4),
    )
)
optim_wrapper = _base_.adamw
