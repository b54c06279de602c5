"""What people change of a training, whatever its config."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any, NamedTuple

from mmengine.config import Config, ConfigDict
from mmengine.dist import sync_random_seed

from ..checkpoints.publishing import SAFETENSORS
from ..utils.pipelines import kind_of, nested
from .batch_size import largest_batch
from .error import RecipeError
from .schedule import epoch_length, set_epochs
from .size import set_image_size

_SCORE, _SCORE_OF_VOC = 'coco/bbox_mAP', 'pascal_voc/mAP'
_LEAST_GAIN = 1e-3  # of the AP: less is no improvement


class _Logger(NamedTuple):
    """Where figures go: a backend of MMEngine's visualizer, and what it needs."""

    backend: str
    package: str


_LOGGERS = {
    'tensorboard': _Logger('TensorboardVisBackend', 'tensorboard'),
    'wandb': _Logger('WandbVisBackend', 'wandb'),
    'mlflow': _Logger('MLflowVisBackend', 'mlflow'),
}
AUTO = 'auto'
LOGGERS = (*_LOGGERS, 'csv')


@dataclass(frozen=True)
class TrainingOptions:
    """What is changed; ``None`` and nothing leave what the config says.

    Attributes:
        epochs: Passes over the training images; the schedule is scaled.
        batch_size: Images a batch, in training; ``'auto'`` for the largest that fits.
        image_size: Shorter side of the images, pixels.
        seed: Of weights, order and augmentation.
        patience: Validations without a better AP after which the training ends.
        freeze: Modules that do not learn, as ``backbone``.
        loggers: Of ``tensorboard``, ``wandb``, ``mlflow`` and ``csv``, where figures go
            besides the log.
        start: Checkpoint to begin with.
        deterministic: Whether two trainings give the same weights; a seed is drawn
            where there is none.
        form: ``'safetensors'`` for a file of the weights alone at the end.
    """

    epochs: int | None = None
    batch_size: int | str | None = None
    image_size: int | None = None
    seed: int | None = None
    patience: int | None = None
    freeze: tuple[str, ...] = ()
    loggers: tuple[str, ...] = ()
    start: str | None = None
    deterministic: bool = False
    form: str | None = None

    def given(self) -> dict[str, Any]:
        """Return what is changed."""
        own, none = asdict(self), asdict(TrainingOptions())
        return {name: value for name, value in own.items() if value != none[name]}


def apply_options(cfg: Config, options: TrainingOptions) -> list[str]:
    """Change a config as the options say.

    Args:
        cfg: The config; changed.
        options: What to change.

    Returns:
        How the schedule was scaled, in words.

    Raises:
        RecipeError: If the config cannot be changed so, or a logger is not installed.
    """
    if options.image_size is not None:
        set_image_size(cfg, options.image_size)
    if options.batch_size is not None:
        is_auto = options.batch_size == AUTO
        size = largest_batch(cfg) if is_auto else options.batch_size
        cfg.train_dataloader.batch_size = size
    if options.seed is not None:
        cfg.randomness = ConfigDict(
            {**(cfg.get('randomness') or {}), 'seed': options.seed}
        )
    if options.deterministic:
        _repeat(cfg)
    if options.start is not None:
        cfg.load_from = options.start
    if options.patience is not None:
        _stop_early(cfg, options.patience)
    if options.form == SAFETENSORS:
        add_hook(cfg, 'SafetensorsHook')
    if options.freeze:
        add_hook(cfg, 'FreezeHook', modules=list(options.freeze))
        # Several processes would wait for the gradients of what is frozen.
        cfg.find_unused_parameters = True
    _log(cfg, options.loggers)
    if 'csv' in options.loggers:
        _check_epochs(cfg, options.epochs)
    if options.epochs is None:
        return []
    return set_epochs(cfg, options.epochs, epoch_length(cfg))


def add_hook(cfg: Config, kind: str, **settings: object) -> None:
    """Give a config a further hook, in the place of one of the same kind."""
    others = [
        hook for hook in cfg.get('custom_hooks') or [] if hook.get('type') != kind
    ]
    cfg.custom_hooks = [*others, ConfigDict(type=kind, **settings)]


def _repeat(cfg: Config) -> None:
    """Let a training give the same weights twice, by a seed that its config shows."""
    randomness = cfg.get('randomness') or {}
    seed = randomness.get('seed')
    cfg.randomness = ConfigDict(
        {
            **randomness,
            'seed': sync_random_seed() if seed is None else seed,
            'deterministic': True,
        }
    )
    # It chooses the fastest kernels, which differ from run to run.
    cfg.env_cfg = ConfigDict({**(cfg.get('env_cfg') or {}), 'cudnn_benchmark': False})


def _stop_early(cfg: Config, patience: int) -> None:
    if cfg.get('val_dataloader') is None:
        raise RecipeError(
            'patience counts validations, and the config has none: add val_dataloader, '
            'or leave patience out.'
        )
    add_hook(
        cfg,
        'EarlyStoppingHook',
        monitor=_score(cfg),
        rule='greater',
        min_delta=_LEAST_GAIN,
        patience=patience,
    )


def _score(cfg: Config) -> str:
    """Return what the best checkpoint is chosen by, else the AP of the validations."""
    checkpoint = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    best = checkpoint.get('save_best')
    if isinstance(best, str) and best != 'auto':
        return best
    is_voc = any(kind_of(x) == 'VOCMetric' for x in nested(cfg.get('val_evaluator')))
    return _SCORE_OF_VOC if is_voc else _SCORE


def _check_epochs(cfg: Config, epochs: int | None) -> None:
    if epochs is None and (cfg.get('train_cfg') or {}).get('max_iters'):
        raise RecipeError(
            'csv has a row an epoch, and the config trains by iterations: give the '
            'epochs, too.'
        )


def _log(cfg: Config, loggers: Sequence[str]) -> None:
    unknown = [name for name in loggers if name not in LOGGERS]
    if unknown:
        raise RecipeError(
            f'There is no logger {unknown[0]}: take {", ".join(LOGGERS)}.'
        )
    chosen = [_LOGGERS[name] for name in loggers if name in _LOGGERS]
    absent = [logger.package for logger in chosen if not find_spec(logger.package)]
    if absent:
        raise RecipeError(
            f'The logger needs the package {absent[0]}: `pip install {absent[0]}`, or '
            'leave it out.'
        )
    if 'csv' in loggers:
        add_hook(cfg, 'ResultsTableHook')
    if chosen:
        visualizer = cfg.get('visualizer') or ConfigDict(type='DetLocalVisualizer')
        own = visualizer.get('vis_backends') or [ConfigDict(type='LocalVisBackend')]
        # Two of a kind are an error.
        kinds = dict.fromkeys(logger.backend for logger in chosen)
        known = {backend.get('type') for backend in own}
        visualizer.vis_backends = [
            *own,
            *(ConfigDict(type=kind) for kind in kinds if kind not in known),
        ]
        cfg.visualizer = visualizer
