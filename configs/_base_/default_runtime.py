custom_imports = dict(imports=['m2det_mmdet'])
default_scope = 'mmdet'

default_hooks = dict(
    logger=dict(type='LoggerHook', interval=50),
    checkpoint=dict(
        type='CheckpointHook',
        interval=1,
        # Within long epochs, too.
        every_minutes=30,
        max_keep_ckpts=3,
        save_best='coco/bbox_mAP',
        rule='greater',
    ),
    visualization=dict(type='DetVisualizationHook'),
)
custom_hooks = [
    dict(type='ClassCheckHook'),
    dict(type='WeightsCheckHook'),
    dict(type='FiniteLossHook'),
]

env_cfg = dict(cudnn_benchmark=True)

visualizer = dict(
    type='DetLocalVisualizer',
    vis_backends=[dict(type='LocalVisBackend')],
    name='visualizer',
)
log_processor = dict(type='LogProcessor', window_size=50)
