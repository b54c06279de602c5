_base_ = ['../_base_/necks_r50_320.py', '../_base_/models/necks_r50.py']

maps = dict(strides=(1, 2, 2, 2), out_indices=(0, 1, 2, 3))
trained = dict(frozen_stages=-1, norm_eval=False)
model = dict(
    backbone=dict(type='DetectoRS_ResNet', output_img=True, **maps),
    neck=dict(
        _delete_=True,
        rfp_backbone=dict(**_base_.rfp_backbone, **trained, **maps),
        **_base_.rfp,
    ),
)
