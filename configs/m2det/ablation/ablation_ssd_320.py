# The baseline: SSD's feature maps under the same head, anchors and settings.
_base_ = ['../m2det_vgg_320.py', '../../_base_/models/ssd_necks.py']

model = dict(neck=dict(_delete_=True, **_base_.pop('ssd_necks').vgg))
