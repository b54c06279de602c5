# EfficientNet-Lite0 and its images. A leaf takes it over the model of another base,
# with keys of its own: `model = dict(**_base_.pop('lite0'), ...)`.
lite0 = dict(
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        name='tf_efficientnet_lite0.in1k',
        strides=(8, 16, 32),
        pretrained=True,
    ),
)
