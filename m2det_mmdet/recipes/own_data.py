"""Makes a training on a folder of one's own out of a config."""

import math

from mmengine.config import Config, ConfigDict
from mmengine.device import get_device

from ..datasets.layouts import DataLayout
from .data import use_data
from .learning_rate import scale_learning_rate, scaled_by, total_batch
from .options import add_hook

# What is trained where no config is named: on a CPU from the package's own weights, on
# a GPU from those of ImageNet.
SMALL, SMALL_START = 'm2det_r18_320', 'm2det_r18_scenes'
LARGE = 'm2det_s'
# Images that a training looks at in all. On two CPU cores these take about seven
# minutes; on a GPU no time was measured.
_PASSES = {SMALL: 10_000, LARGE: 60_000}
_EPOCHS = (8, 100)
_SCORE = 'coco/bbox_mAP'
_PACKAGE = __name__.partition('.')[0]


def default_config() -> tuple[str, str | None]:
    """Return the config for data of one's own, and the weights to start from."""
    return (LARGE, None) if get_device() == 'cuda' else (SMALL, SMALL_START)


def default_epochs(images: int) -> int:
    """Return how many epochs suit a number of training images.

    From few images a detector learns longer, and of many it needs fewer passes.
    """
    passes = _PASSES[default_config()[0]]
    return min(max(math.ceil(passes / images), _EPOCHS[0]), _EPOCHS[1])


def use_own_data(cfg: Config, layout: DataLayout) -> None:
    """Train, validate and test a config on ``layout``, and keep what a person looks at.

    Small images are kept, which configs for COCO leave out. Each epoch is validated;
    ``best.pth``, ``last.pth`` and ``results.csv`` are kept in the work folder. A loss
    that is no number ends the training.

    Args:
        cfg: The config; changed.
        layout: The data.

    Raises:
        RecipeError: If the config cannot be pointed at the data.
    """
    if cfg.get('val_dataloader') is None:
        cfg.val_dataloader = ConfigDict(cfg.test_dataloader)
        cfg.val_cfg = ConfigDict(type='ValLoop')
    use_data(cfg, layout)
    _keep_small_images(cfg.train_dataloader.dataset)
    loader = cfg.train_dataloader
    # A batch of which there is none would be dropped.
    loader.batch_size = min(loader.get('batch_size') or 1, layout.train.size)
    for key in ('val_begin', 'val_interval', 'dynamic_intervals'):
        cfg.train_cfg.pop(key, None)
    hooks = cfg.get('default_hooks') or ConfigDict()
    hooks.checkpoint = ConfigDict(
        type='CheckpointHook',
        interval=1,
        max_keep_ckpts=1,
        save_best=_SCORE,
        rule='greater',
    )
    cfg.default_hooks = hooks
    for kind in ('FiniteLossHook', 'PlainNamesHook', 'ResultsTableHook'):
        add_hook(cfg, kind)
    _import_package(cfg)


def fit_learning_rate(cfg: Config) -> list[str]:
    """Scale a learning rate down to the batch, where the config says whose it is.

    MMDetection's belong to eight GPUs, and are too high for one. It is never scaled up:
    some of these configs name a smaller batch than theirs.

    Args:
        cfg: The config, with the batch that it will have; changed.

    Returns:
        What changed, in sentences.
    """
    settings, ratio = cfg.get('auto_scale_lr') or {}, scaled_by(cfg)
    if ratio is None or ratio >= 1 or settings.get('enable'):
        return []
    base = settings.base_batch_size
    scale_learning_rate(cfg)
    return [
        f'The learning rate belongs to batches of {base} images, and is scaled to '
        f'those of {total_batch(cfg)}.'
    ]


def _import_package(cfg: Config) -> None:
    """Let a config of others find our hooks and data sets wherever it is loaded."""
    settings = cfg.get('custom_imports') or {}
    names = settings.get('imports') or []
    names = [names] if isinstance(names, str) else list(names)
    imports = list(dict.fromkeys([*names, _PACKAGE]))
    cfg.custom_imports = ConfigDict({**settings, 'imports': imports})


def _keep_small_images(dataset: dict) -> None:
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    if dataset.get('filter_cfg'):
        dataset.filter_cfg.min_size = 0
