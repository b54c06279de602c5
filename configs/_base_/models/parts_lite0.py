# What parts of a recipe on EfficientNet-Lite0 share. A leaf takes what it needs, and
# the rest vanishes: `_base_.pop('parts_lite0').steps`.
parts_lite0 = dict(
    # More of the base feature for narrower TUMs, at nearly the cost of 48 and 24.
    wide_base=dict(tum_channels=40, thin_channels=80),
    # Anchors as far apart as the cells of their maps, in images of any size.
    steps=dict(steps=[8, 16, 32, 64, 128, 256], fixed_steps=True),
    # What is tested is a mean of the weights.
    mean=dict(
        type='EMAHook', ema_type='MomentumAnnealingEMA', gamma=20, update_buffers=True
    ),
)
