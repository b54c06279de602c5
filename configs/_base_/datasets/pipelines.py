# What is done to images, by augmentation and input size: in training, in a test, and in
# a multi-scale and flip test. A config takes three, and the others vanish:
# `train_pipeline, test_pipeline, tta_pipeline = _base_.pop('pipelines').m2det[512]`.


def resize(size: int) -> dict:
    return dict(type='Resize', scale=(size, size))


def m2det(size: int) -> list[dict]:
    """SSD's augmentation, in mmdet's order."""
    return [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'),
        dict(type='Expand', mean=[123.675, 116.28, 103.53]),
        dict(type='MinIoURandomCrop'),
        resize(size),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PhotoMetricDistortion'),
        dict(type='PackDetInputs'),
    ]


def refinedet(size: int) -> list[dict]:
    """SSD's augmentation, in the order of its code."""
    return [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'),
        dict(type='SSDPhotometricDistortion'),
        dict(type='Expand', mean=[104, 117, 123], to_rgb=False),
        dict(type='MinIoURandomCrop'),
        resize(size),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PackDetInputs'),
    ]


def cropped(size: int, share: float, flip: dict, *colours: dict) -> list[dict]:
    """A crop of at least this share of each side, and a flip."""
    return [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'),
        dict(type='RandomCrop', crop_type='relative_range', crop_size=(share, share)),
        resize(size),
        flip,
        *colours,
        dict(type='PackDetInputs'),
    ]


def scenes(size: int) -> list[dict]:
    """Upside down, a figure would be a stray."""
    return cropped(size, 0.6, dict(type='RandomFlip', prob=0.5))


def cells(size: int) -> list[dict]:
    """Cells have no upright side."""
    flip = dict(
        type='RandomFlip', prob=[0.3, 0.3], direction=['horizontal', 'vertical']
    )
    return cropped(size, 0.5, flip)


def own(size: int) -> list[dict]:
    """For data that nothing is known of: light and colours vary, too."""
    flip = dict(type='RandomFlip', prob=0.5)
    return cropped(size, 0.5, flip, dict(type='SSDPhotometricDistortion'))


def mixed(size: int, *colours: dict) -> tuple[list[dict], list[dict], list[dict]]:
    """Several images in one: steps for each of them, for all, and without mixing."""
    loading = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
    mosaic = dict(type='Mosaic', img_scale=(size, size), prob=0.5)
    mixup = dict(type='MixUp', img_scale=(size, size), ratio_range=(0.8, 1.6))
    # A crop without an object stays: here it would be tried again and again.
    crop = dict(
        type='RandomCrop',
        crop_type='relative_range',
        crop_size=(0.5, 0.5),
        allow_negative_crop=True,
    )
    last = [
        # What a border leaves of an object may be a line.
        dict(type='FilterAnnotations', min_gt_bbox_wh=(2, 2), keep_empty=False),
        dict(type='RandomFlip', prob=0.5),
        *colours,
        dict(type='PackDetInputs'),
    ]
    return (
        loading,
        [mosaic, crop, resize(size), mixup, *last],
        [crop, resize(size), *last],
    )


def test(size: int) -> list[dict]:
    return [
        dict(type='LoadImageFromFile'),
        resize(size),
        dict(type='LoadAnnotations'),
        dict(
            type='PackDetInputs',
            meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
        ),
    ]


def multi_scale(sizes: list[int]) -> list[dict]:
    return [
        dict(type='LoadImageFromFile'),
        dict(
            type='TestTimeAug',
            transforms=[
                [resize(size) for size in sizes],
                [dict(type='RandomFlip', prob=p) for p in (0.0, 1.0)],
                [dict(type='LoadAnnotations')],
                [dict(type='PackDetInputs')],
            ],
        ),
    ]


# Beside each input size the sizes of the multi-scale test: 0.75, 1, 1.25 and 1.5 times
# the input size in multiples of 32, but not less than holds all maps: 288 for the six
# of M2Det and SSD, 256 for the four of RefineDet.
pipelines = dict(
    m2det={
        size: (m2det(size), test(size), multi_scale(sizes))
        for size, sizes in {
            300: [288, 300, 384, 480],
            320: [288, 320, 416, 480],
            512: [384, 512, 640, 768],
            640: [480, 640, 800, 960],
            704: [544, 704, 896, 1056],
            800: [608, 800, 1024, 1216],
        }.items()
    },
    refinedet={
        size: (refinedet(size), test(size), multi_scale(sizes))
        for size, sizes in {
            320: [256, 320, 416, 480],
            512: [384, 512, 640, 768],
        }.items()
    },
    scenes={128: (scenes(128), test(128), multi_scale([96, 128, 160, 192]))},
    cells={
        320: (cells(320), test(320), multi_scale([288, 320, 416, 480])),
        480: (cells(480), test(480), multi_scale([384, 480, 608, 736])),
    },
    own={320: (own(320), test(320), multi_scale([256, 320, 416, 480]))},
    # These come beside those for tests: the scenes', one's own, and M2Det's.
    mixed={
        128: mixed(128),
        320: mixed(320, dict(type='SSDPhotometricDistortion')),
    },
    refinedet_r18={320: (cells(320), test(320), multi_scale([256, 320, 416, 480]))},
)
