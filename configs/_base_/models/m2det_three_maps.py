# M2Det over three maps of any backbone, of strides 8, 16 and 32: the neck takes their
# channels from it. The base feature has 768 channels, as in the paper.
_base_ = './m2det_vgg.py'

model = dict(
    data_preprocessor=dict(std=[58.395, 57.12, 57.375]),
    neck=dict(in_channels=None, ffm_channels=(256, 256, 256)),
)
