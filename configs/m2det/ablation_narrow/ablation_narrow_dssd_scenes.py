# SSD and a decoder of deconvolutions, as in DSSD.
_base_ = './ablation_narrow_ssd_scenes.py'

model = dict(
    neck=dict(
        type='DSSDNeck',
        deconv_channels=48,
        deconv_norm_cfg=dict(type='BN', momentum=0.1),
    )
)
