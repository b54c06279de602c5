# SSD's augmentation in the order of its code, before the resizing and the flip.
ssd_augmentation = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='SSDPhotometricDistortion'),
    dict(type='Expand', mean=[104, 117, 123], to_rgb=False, ratio_range=(1, 4)),
    dict(
        type='MinIoURandomCrop',
        min_ious=(0.1, 0.3, 0.5, 0.7, 0.9),
        min_crop_size=0.3,
    ),
]
