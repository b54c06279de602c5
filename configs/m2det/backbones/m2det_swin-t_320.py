_base_ = [
    '../../_base_/models/m2det_three_maps.py',
    '../../_base_/datasets/coco_320.py',
    '../../_base_/schedules/schedule_150e_adamw.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        _delete_=True,
        type='SwinTransformer',
        drop_path_rate=0.2,
        out_indices=(1, 2, 3),
        # The file is one of the authors of Swin.
        convert_weights=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://github.com/SwinTransformer/storage/releases/download/'
            'v1.0.0/swin_tiny_patch4_window7_224.pth',
        ),
    )
)
