_base_ = '../../_base_/necks_r18_scenes.py'

model = dict(neck=_base_.necks.nasfpn)

# Its poolings leave nothing of 96 pixels.
tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0] = tta_pipeline[1].transforms[0][1:]
