_base_ = ['./necks_fpn_r50_320.py', '../_base_/models/necks_r50.py']

model = dict(
    backbone=dict(type='DetectoRS_ResNet', output_img=True, out_indices=(0, 1, 2, 3)),
    neck=dict(_delete_=True, **_base_.pop('necks_r50').rfp),
)
# As in the first backbone.
model['neck']['rfp_backbone'].update(norm_eval=False)
