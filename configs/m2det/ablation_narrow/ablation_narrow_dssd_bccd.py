# SSD and a decoder of deconvolutions, as in DSSD.
_base_ = ['../m2det_r18_bccd.py', '../../_base_/models/ssd_necks.py']

model = dict(
    neck=dict(
        _base_.pop('ssd_necks').r18_bccd,
        _delete_=True,
        type='DSSDNeck',
        deconv_channels=48,
        deconv_norm_cfg=dict(type='BN', momentum=0.1),
    )
)
optim_wrapper = _base_.adamw
