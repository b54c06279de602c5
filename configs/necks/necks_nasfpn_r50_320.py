# Seven stacks, as in the paper. Its pooling makes 2 cells of 5, where others make 3.
_base_ = '../_base_/necks_r50_320.py'

model = dict(
    neck=dict(
        _delete_=True,
        type='NASFPN',
        in_channels=[512, 1024, 2048],
        out_channels=256,
        num_outs=5,
        stack_times=7,
        norm_cfg=dict(type='BN'),
    )
)
