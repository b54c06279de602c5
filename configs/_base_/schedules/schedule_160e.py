# That of the authors' release: 4e-3, warm-up 5 epochs, 160 epochs. A leaf takes it over
# a leaf of the paper: `train_cfg, param_scheduler, optim_wrapper, auto_scale_lr =
# _base_.pop('schedule_160e')`.
schedule_160e = (
    dict(max_epochs=160),
    [
        dict(
            type='WarmupStepLR',
            warmup=5,
            start_factor=2.5e-4,
            milestones=[90, 110, 130, 150],
            factors=[0.5, 0.1, 0.01, 0.001],
            convert_to_iter_based=True,
        ),
    ],
    dict(optimizer=dict(lr=4e-3), clip_grad=None),
    dict(enable=False),
)
