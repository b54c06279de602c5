# What a model of mmdet with another neck adds: this package, and hooks that check.
custom_imports = dict(imports=['m2det_mmdet'], allow_failed_imports=False)
custom_hooks = [
    dict(type='ClassCheckHook'),
    dict(type='WeightsCheckHook'),
    dict(type='PyramidCheckHook'),
    dict(type='CheckInvalidLossHook', interval=50, priority='VERY_LOW'),
]
