# Two ResNet-50 in place of a ResNet-18: DetectoRS has no smaller one.
_base_ = '../../_base_/necks_r18_scenes.py'

model = dict(backbone=_base_.rfp_backbone, neck=_base_.necks.rfp)
