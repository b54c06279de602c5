_base_ = './faster-rcnn_r18_fpn_scenes.py'

fpn = _base_.model.neck
model = dict(
    neck=dict(
        _delete_=True,
        type='MLFPN',
        in_channels=fpn.in_channels,
        ffm_channels=[48, 48, 48, 48],
        num_levels=2,
        num_scales=fpn.num_outs,
        tum_channels=32,
        norm_cfg=dict(type='BN', momentum=0.1),
        exact_strides=True,
        out_channels=fpn.out_channels,
    )
)
