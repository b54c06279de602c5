# What a model of mmdet with another neck adds: this package, and hooks that check.
custom_imports = dict(imports=['m2det_mmdet'])
custom_hooks = [
    dict(type='ClassCheckHook'),
    dict(type='WeightsCheckHook'),
    dict(type='PyramidCheckHook'),
    dict(type='FiniteLossHook'),
]
