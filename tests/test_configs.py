"""Every config loads, builds, and agrees with itself."""

import ast
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path

import mmengine
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from torch import Tensor, nn

from m2det_mmdet.analysis.structure import build_structure
from m2det_mmdet.models.necks import MLFPN

CONFIGS = Path(__file__).parents[1] / 'configs'
LEAVES = sorted(
    path
    for path in CONFIGS.rglob('*.py')
    if '_base_' not in path.relative_to(CONFIGS).parts
)
# Input size, sizes as hundredths of it, and steps, as in the authors' release.
ANCHORS = {
    320: ([8, 15, 33, 51, 69, 87, 105], [8, 16, 32, 64, 107, 320]),
    512: ([6, 15, 33, 51, 69, 87, 105], [8, 16, 32, 64, 128, 256]),
    704: ([4, 11, 23, 39, 58, 80, 105], [8, 16, 32, 64, 117, 176]),
    800: ([4, 15, 33, 51, 69, 87, 105], [8, 16, 32, 62, 115, 160]),
}
PAPER = [
    leaf
    for leaf in LEAVES
    if leaf.stem.removeprefix('m2det_')
    in ('vgg_320', 'vgg_512', 'vgg_704', 'vgg_800', 'r50_320', 'r101_320', 'r101_512')
]

ABLATION = [leaf for leaf in LEAVES if leaf.parent.name == 'ablation']

MODERN = [leaf for leaf in LEAVES if leaf.parent.name == 'modern']

# Those over this package's own data, whose images are resized to squares.
SQUARE = [
    leaf
    for leaf in LEAVES
    if leaf.stem.startswith(
        ('m2det_', 'ablation_', 'levels_', 'necks_', 'ssd_', 'refinedet_')
    )
]

# With all parts of docs/training.md.
ALL_PARTS = CONFIGS / 'm2det' / 'm2det_r18_scenes_modern.py'

# What bases offer to choose from.
TABLES = {
    'pipelines',
    'necks_r18',
    'necks_r50',
    'ssd_necks',
    'release_model',
    'release_dataloaders',
    'schedule_160e',
    'mean_of_weights',
    'last_epochs',
}

each_paper_leaf = pytest.mark.parametrize('leaf', PAPER, ids=lambda leaf: leaf.stem)
each_ablation_leaf = pytest.mark.parametrize(
    'leaf', ABLATION, ids=lambda leaf: leaf.stem
)
each_square_leaf = pytest.mark.parametrize('leaf', SQUARE, ids=lambda leaf: leaf.stem)
each_leaf = pytest.mark.parametrize('leaf', LEAVES, ids=lambda leaf: leaf.stem)


@cache
def load(leaf: Path) -> Config:
    """The config of a leaf, to be read alone, without pre-trained weights."""
    config = Config.fromfile(leaf)
    init_default_scope(config.default_scope)
    config.model.backbone.init_cfg = None
    return config


@cache
def build(leaf: Path) -> nn.Module:
    """The detector of a config, without weights."""
    return build_structure(load(leaf)).eval()


@pytest.fixture(autouse=True)
def timm_for_its_configs(request: pytest.FixtureRequest) -> None:
    if 'leaf' in request.fixturenames:
        leaf = request.getfixturevalue('leaf')
        if load(leaf).model.backbone.type == 'TimmBackbone':
            request.getfixturevalue('with_timm')


@pytest.fixture(scope='module', autouse=True)
def forget_detectors() -> Iterator[None]:
    """Let no later test carry a hundred detectors along."""
    yield
    build.cache_clear()


def map_sizes(model: nn.Module, height: int, width: int) -> list[tuple[int, int]]:
    """Cells of the maps that a detector makes of an image."""
    image = torch.empty(1, 3, height, width, device='meta')
    with torch.no_grad():
        maps = model.extract_feat(image)
    # RefineDet adds what its first head predicts.
    maps = maps if isinstance(maps[0], Tensor) else maps[0]
    return [tuple(x.shape[2:]) for x in maps]


def image_size(config: Config) -> tuple[int, int]:
    """Pixels ``(height, width)`` of a test image, padded as the network pads it."""
    (scale,) = (
        step.scale
        for step in inner(config.test_dataloader.dataset).pipeline
        if step.type.endswith('Resize')
    )
    divisor = config.model.data_preprocessor.get('pad_size_divisor', 1)
    width, height = (-(-side // divisor) * divisor for side in scale)
    return height, width


def base_stride(leaf: Path) -> int:
    """Stride of the largest map."""
    return 4 if 'stride4' in leaf.stem else 8


def find(pipeline: list[dict], name: str) -> list[dict]:
    return [step for step in pipeline if step['type'] == name]


def inner(dataset: dict) -> dict:
    return dataset.get('datasets', [dataset])[0]


def test_there_are_leaves_and_no_two_share_a_name() -> None:
    names = [path.name for path in CONFIGS.rglob('*.py')]
    assert len(LEAVES) > 100
    assert len(ABLATION) == 7 + 10
    assert len(set(names)) == len(names)


def bases(path: Path) -> list[str]:
    """What a config names as its bases."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '_base_':
            names = ast.literal_eval(node.value)
            return [names] if isinstance(names, str) else names
    return []


def chain(path: Path) -> int:
    """Files from a config to the farthest of its bases; a config of mmdet is one."""
    lengths = [1 if '::' in base else chain(path.parent / base) for base in bases(path)]
    return 1 + max(lengths, default=0)


@each_leaf
def test_no_more_than_four_files_stand_in_a_row(leaf: Path) -> None:
    assert chain(leaf) <= 4


def test_no_base_inherits_a_leaf() -> None:
    common = CONFIGS / '_base_'
    files = sorted(common.rglob('*.py'))
    folders = {path.parent.name for path in files}

    assert folders == {'_base_', 'datasets', 'models', 'schedules'}
    assert [path.name for path in common.glob('*.py')] == ['default_runtime.py']
    for path in files:
        own = [path.parent / base for base in bases(path) if '::' not in base]
        assert all(base.resolve().is_relative_to(common) for base in own)


@each_leaf
def test_a_leaf_keeps_none_of_the_tables_that_it_chose_from(leaf: Path) -> None:
    assert not TABLES & set(load(leaf))


def test_every_leaf_stands_in_a_metafile_and_its_readme() -> None:
    root = CONFIGS.parent
    stems = []
    for path in mmengine.load(root / 'model-index.yml')['Import']:
        metafile = mmengine.load(root / path)
        (collection,) = metafile['Collections']
        readme = root / collection['README']
        for model in metafile['Models']:
            config = root / model['Config']
            link = config.relative_to(readme.parent).as_posix()
            assert model['In Collection'] == collection['Name']
            assert model['Name'] == config.stem
            assert f'[{model["Name"]}]({link})' in readme.read_text()
            stems.append(model['Name'])

    assert sorted(stems) == sorted(leaf.stem for leaf in LEAVES)


@each_leaf
def test_it_builds_and_its_anchors_fit_its_maps(leaf: Path) -> None:
    config, model = load(leaf), build(leaf)
    size = image_size(config)
    maps = map_sizes(model, *size)
    heads = [m for m in model.modules() if hasattr(m, 'prior_generator')]

    assert heads
    for head in heads:
        generator = head.prior_generator
        assert generator.num_levels == len(maps)
        steps = getattr(generator, 'strides', getattr(generator, 'steps', None))
        for step, cells in zip(steps or (), maps, strict=bool(steps)):
            # Horizontal before vertical.
            across, down = step if isinstance(step, tuple) else (step, step)
            assert abs(size[0] / down - cells[0]) < 1
            assert abs(size[1] / across - cells[1]) < 1
    if isinstance(model.neck, MLFPN) and not model.neck.exact_strides:
        strides = [(size[0] / height, size[1] / width) for height, width in maps]
        found = model.neck.strides(size, base_stride=base_stride(leaf))
        assert found == strides


@each_square_leaf
def test_its_images_have_the_size_of_its_anchors(leaf: Path) -> None:
    config = load(leaf)
    size = build(leaf).bbox_head.prior_generator.input_size

    for loader in (config.train_dataloader, config.val_dataloader):
        (resize,) = find(inner(loader.dataset).pipeline, 'Resize')
        assert tuple(resize.scale) == (size, size)
    assert config.val_dataloader == config.test_dataloader or 'bccd' in leaf.stem


@each_leaf
def test_classes_of_heads_and_data_agree(leaf: Path) -> None:
    config, model = load(leaf), build(leaf)
    dataset = inner(config.train_dataloader.dataset)
    dataset = dataset.get('dataset', dataset)
    classes = dataset.get('metainfo', {}).get('classes')
    expected = 20 if dataset.type == 'VOCDataset' else 80
    if classes:
        expected = len(classes)
    found = {
        name: module.num_classes
        for name, module in model.named_modules()
        if name.endswith('head') and hasattr(module, 'num_classes')
    }
    # These tell objects from background.
    binary = {name for name in found if name in ('rpn_head', 'arm_head')}
    assert {found.pop(name) for name in binary} <= {1}
    assert set(found.values()) == {expected}


@each_leaf
def test_every_config_imports_the_package(leaf: Path) -> None:
    assert load(leaf).custom_imports['imports'] == ['m2det_mmdet']


def test_the_last_epochs_leave_out_what_mixes_images() -> None:
    config = load(ALL_PARTS)
    mixing = config.train_dataloader.dataset.pipeline
    switch = config.custom_hooks[-1]

    assert {step.type for step in mixing} >= {'Mosaic', 'MixUp'}
    unmixed = [step for step in mixing if step.type not in ('Mosaic', 'MixUp')]
    assert switch.switch_pipeline == unmixed
    assert 0 < switch.switch_epoch < config.train_cfg.max_epochs


def test_norms_and_biases_are_not_decayed_and_layers_may_have_rates() -> None:
    settings = deepcopy(load(ALL_PARTS).optim_wrapper)
    model = build(ALL_PARTS)
    stages = {f'backbone.layer{i}': 0.5 ** (4 - i) for i in (1, 2, 3)}
    settings.paramwise_cfg['custom_keys'] = {
        name: {'lr_mult': rate} for name, rate in stages.items()
    }

    groups = build_optim_wrapper(model, settings).optimizer.param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {names[id(group['params'][0])]: group for group in groups}

    # What is named has its rate, and none of the other rules.
    first = found['backbone.layer1.0.bn1.weight']
    assert (first['lr'], first['weight_decay']) == (3e-3 / 8, 0.05)
    assert found['backbone.layer3.1.conv2.weight']['lr'] == 3e-3 / 2
    assert found['backbone.bn1.weight']['weight_decay'] == 0
    assert found['backbone.conv1.weight']['weight_decay'] == 0.05
    assert found['bbox_head.cls_convs.0.0.bias']['weight_decay'] == 0
    assert found['bbox_head.cls_convs.0.0.weight']['lr'] == 3e-3


@each_paper_leaf
def test_the_paper_schedule(leaf: Path) -> None:
    config = load(leaf)
    parameter = torch.zeros(1, requires_grad=True)
    settings = {'optimizer': torch.optim.SGD([parameter], lr=1), 'epoch_length': 100}
    warm_up, steps = (
        PARAM_SCHEDULERS.build(scheduler, default_args=settings)
        for scheduler in config.param_scheduler
    )

    assert config.optim_wrapper.optimizer.lr == 2e-3
    assert config.auto_scale_lr == {'enable': True, 'base_batch_size': 32}
    # Five epochs of 100 iterations.
    assert (warm_up.begin, warm_up.end, warm_up.by_epoch) == (0, 500, False)
    assert (sorted(steps.milestones), steps.gamma) == ([90, 120], 0.1)
    assert steps.by_epoch
    assert config.train_cfg.max_epochs == 150
    assert config.model.test_cfg.score_thr == 0.05
    assert config.model.test_cfg.nms.method == 'linear'
    assert config.default_hooks.checkpoint.save_best == 'coco/bbox_mAP'


@each_paper_leaf
def test_the_anchors_of_the_release(leaf: Path) -> None:
    anchors = load(leaf).model.bbox_head.anchor_generator
    input_size = int(leaf.stem.rpartition('_')[2])
    sizes, steps = ANCHORS[input_size]

    assert len(PAPER) == 7
    assert anchors.input_size == input_size
    assert [round(size * 100) for size in anchors.sizes] == sizes
    assert list(anchors.steps) == steps
    assert list(anchors.ratios) == [2, 3]


@each_ablation_leaf
def test_an_ablation_changes_nothing_but_the_network(leaf: Path) -> None:
    paper = 'm2det_r101_320.py' if 'r101' in leaf.stem else 'm2det_vgg_320.py'
    configs = [deepcopy(load(path)) for path in (leaf, leaf.parents[1] / paper)]
    for config in configs:
        config.model.neck = config.model.bbox_head.in_channels = None

    assert configs[0].to_dict() == configs[1].to_dict()


def ablation(step: str) -> nn.Module:
    return build(CONFIGS / 'm2det' / 'ablation' / f'ablation_{step}_320.py')


@pytest.mark.parametrize(
    ('before', 'after', 'added'),
    [
        # Smoothing: in 8 TUMs for 5 scales a 1x1 convolution and its norm.
        ('8_stum', '8_tum', 8 * 5 * (256 * 256 + 2 * 256)),
        # In 7 TUMs more: 1x1 from 768 to 128 channels and its norm, and 128 more
        # inputs for two 3x3 convolutions.
        (
            '8_tum',
            'base_feature',
            7 * (768 * 128 + 2 * 128 + 2 * 9 * 128 * 256),
        ),
        # For 6 scales two layers between 2048 and 128 channels.
        ('base_feature', 'sfam', 6 * (2 * 2048 * 128 + 128 + 2048)),
        ('sfam', 'tum_8x256', 0),
    ],
)
def test_each_step_of_the_ablation_adds_what_it_names(
    before: str, after: str, added: int
) -> None:
    counts = [
        sum(parameter.numel() for parameter in ablation(step).parameters())
        for step in (before, after)
    ]
    assert counts[1] - counts[0] == added


@pytest.mark.parametrize(
    'leaf',
    [leaf for leaf in ABLATION if leaf.stem.startswith('ablation_tum_')],
    ids=lambda leaf: leaf.stem,
)
def test_an_ablation_has_as_many_tums_and_channels_as_its_name_says(leaf: Path) -> None:
    neck = build(leaf).neck
    width = neck.tums[0].top.out_channels
    assert leaf.stem == f'ablation_tum_{len(neck.tums)}x{width}_320'
    assert neck.out_channels == [len(neck.tums) * width] * 6


@pytest.mark.parametrize('leaf', MODERN, ids=lambda leaf: leaf.stem)
def test_the_scales_of_a_modern_leaf_tile_its_images(leaf: Path) -> None:
    config = load(leaf)
    cells = (80, 40, 20, 10, 5)
    assert map_sizes(build(leaf), 640, 640) == [(n, n) for n in cells]
    anchors = config.model.bbox_head.anchor_generator
    assert anchors.steps == [640 // n for n in cells]
    assert anchors.fixed_steps
    # Each TUM sees twice its own width of the base feature.
    neck = config.model.neck
    assert neck.thin_channels == 2 * neck.tum_channels
    # The rate belongs to this batch.
    assert config.train_dataloader.batch_size == config.auto_scale_lr.base_batch_size


def test_the_modern_leaves_are_four_sizes_of_one_detector() -> None:
    sizes = ('n', 's', 'm', 'l')
    leaves = [CONFIGS / 'm2det' / 'modern' / f'm2det_{size}.py' for size in sizes]
    counts = [sum(x.numel() for x in build(leaf).parameters()) for leaf in leaves]
    configs = [load(leaf).to_dict() for leaf in leaves]
    for config in configs:
        for part, widths in (
            ('backbone', ('deepen_factor', 'widen_factor')),
            ('neck', ('ffm_channels', 'num_levels', 'tum_channels', 'thin_channels')),
        ):
            for key in widths:
                del config['model'][part][key]

    assert sorted(MODERN) == sorted(leaves)
    assert counts == sorted(counts)
    assert all(config == configs[-1] for config in configs)


@pytest.mark.parametrize(
    ('pattern', 'count', 'tolerance'),
    [
        # Those of equal width end in 48.
        ('levels_*[0-9][!8]_scenes.py', 4, 0.015),
        ('necks_*_r18_scenes.py', 9, 0.035),
        ('necks_*_r18_bccd.py', 9, 0.035),
    ],
)
def test_what_is_compared_is_about_equally_large(
    pattern: str, count: int, tolerance: float
) -> None:
    counts = [
        sum(parameter.numel() for parameter in build(leaf).parameters())
        for leaf in CONFIGS.rglob(pattern)
    ]
    assert len(counts) == count
    assert max(counts) / min(counts) < 1 + tolerance


def holds(leaf: Path, side: int) -> bool:
    """Whether an image of ``side`` pixels is large enough for all maps."""
    model = build(leaf)
    try:
        if isinstance(model.neck, MLFPN):
            model.neck.strides((side, side), base_stride=base_stride(leaf))
        else:
            map_sizes(model, side, side)
    except (ValueError, RuntimeError):
        return False
    return True


@each_square_leaf
def test_every_size_of_the_multi_scale_test_holds_the_pyramid(leaf: Path) -> None:
    config, model = load(leaf), build(leaf)
    views, flips, *_ = config.tta_pipeline[1].transforms
    size = model.bbox_head.prior_generator.input_size
    sides = [view.scale[0] for view in views]

    assert [flip.prob for flip in flips] == [0.0, 1.0]
    assert all(view.scale == (view.scale[0],) * 2 for view in views)
    assert all(holds(leaf, side) for side in sides)
    # Multiples of 32 from 0.75 to 1.5 times the size, and that size.
    assert sides == sorted(set(sides))
    assert size in sides
    assert all(side % 32 == 0 or side == size for side in sides)
    assert 0.75 * size <= sides[0]
    assert sides[-1] < 1.5 * size + 32
    if leaf in PAPER + ABLATION:
        multiples = [-(-size * quarters // 128) * 32 for quarters in (3, 4, 5, 6)]
        smallest = next(side for side in range(32, size, 32) if holds(leaf, side))
        assert sides == [max(smallest, side) for side in multiples]
