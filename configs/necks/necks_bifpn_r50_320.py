# Width and depth of EfficientDet-D3.
_base_ = '../_base_/necks_r50_320.py'

model = dict(
    neck=dict(
        _delete_=True,
        type='BiFPN',
        in_channels=[512, 1024, 2048],
        out_channels=160,
        num_outs=5,
        num_stages=6,
    )
)
