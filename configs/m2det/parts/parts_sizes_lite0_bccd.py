# Batches of changing size, and anchors as far apart as the cells of their maps in all.
_base_ = [
    '../backbones/m2det_efficientnet-lite0_bccd.py',
    '../../_base_/models/necks_lite0.py',
    '../../_base_/models/parts_lite0.py',
]

model = dict(
    neck=_base_.pop('necks_lite0').mlfpn_2,
    data_preprocessor=dict(
        batch_augments=[
            dict(type='BatchSyncRandomResize', random_size_range=(288, 384))
        ]
    ),
    bbox_head=dict(anchor_generator=_base_.pop('parts_lite0').steps),
)
