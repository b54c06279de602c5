"""Gives a config a budget: epochs, or minutes of training."""

import math
from collections.abc import Callable
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.dist import get_world_size

from ..utils.pipelines import kind_of
from .data import count_images
from .error import RecipeError
from .phases import find_switches, move_switches

# A warm-up that counts iterations takes at most this part of the run.
WARM_UP = 0.1

_LENGTHS = ('T_max', 'step_size', 'total_steps', 'warmup')
_POINTS = ('begin', 'end')
_LISTS = ('milestones', 'periods')
_WARM_UPS = ('LinearLR', 'ConstantLR', 'QuadraticWarmupLR')
_EPOCH_SAMPLER = {'type': 'DefaultSampler', 'shuffle': True}
# Where a config keeps how many iterations of its schedule are an epoch.
_EPOCH_LENGTH = 'scheduled_epoch_length'
# Epochs that no budget in minutes holds.
_ENDLESS = 100_000


def epoch_length(cfg: Config) -> int:
    """Batches of a process that one pass over the training images takes.

    Raises:
        RecipeError: If the data do not load, or are not one whole batch.
    """
    images = count_images(cfg, 'train')
    loader = cfg.train_dataloader
    sampler = loader.get('batch_sampler') or {}
    # PyTorch's own default is 1.
    batch = loader.get('batch_size') or sampler.get('batch_size') or 1
    whole = loader.get('drop_last') or sampler.get('drop_last')
    own = math.ceil(images / get_world_size())
    batches = own // batch if whole else math.ceil(own / batch)
    if batches == 0:
        raise RecipeError(
            f'{own} training images are not one whole batch of {batch}, and '
            'drop_last leaves others out: give a smaller --batch-size.'
        )
    return batches


def set_epochs(cfg: Config, epochs: int, length: int) -> list[str]:
    """Train for ``epochs`` on the schedule of the config, shrunk or stretched.

    All schedulers count iterations afterwards, so that a milestone may lie within an
    epoch. A warm-up that counts iterations keeps its length, but takes at most a tenth
    of the run; every other time is scaled with the run. What hooks and heads do from an
    epoch on moves as :func:`.move_switches` says. Epochs between validations stay. The
    length of an epoch is kept in the config, so that it can be scaled again.

    Args:
        cfg: The config; changed.
        epochs: Passes over the training images.
        length: Iterations of an epoch.

    Returns:
        What was scaled, and how, in words.

    Raises:
        RecipeError: If the config has schedules for several optimizers or one
            that waits for a validation, does not say how long it trains, or counts
            iterations of a run whose number of iterations it does not say.
    """
    total = epochs * length
    schedulers = _schedulers(cfg)
    old_epochs, old_iters = _old_length(cfg)
    if old_epochs and cfg.get(_EPOCH_LENGTH):
        old_iters = old_epochs * cfg[_EPOCH_LENGTH]
    cfg[_EPOCH_LENGTH] = length
    at = _time_of_iteration(schedulers, total, old_iters)
    scaled = []
    for scheduler in schedulers:
        if scheduler.get('by_epoch', True):
            if old_epochs is None:
                raise RecipeError(
                    f'{scheduler.type} counts epochs, but the config trains by '
                    'iterations: set by_epoch=False.'
                )
            unit = total / old_epochs
            scaled.append(_scaled(scheduler, lambda time, unit=unit: time * unit, unit))
        else:
            scaled.append(_scaled(scheduler, at, total / (old_iters or total)))
    cfg.param_scheduler = [item for item in scaled if _has_length(item)]
    remarks = [_remark(*pair, total) for pair in zip(schedulers, scaled, strict=True)]
    remarks += _scale_begin_iter(cfg, total, old_iters)
    if old_epochs is not None:
        remarks += move_switches(cfg, old_epochs, epochs)
    train_cfg = ConfigDict(type='EpochBasedTrainLoop', max_epochs=epochs)
    interval = cfg.train_cfg.get('val_interval')
    if old_epochs and interval and cfg.get('val_dataloader'):
        train_cfg.val_interval = interval
    _train_by_epoch(cfg, train_cfg)
    return remarks


def without_validation(cfg: Config) -> None:
    """Leave out the validations of a config, as where only the last weights count."""
    for key in ('val_cfg', 'val_dataloader', 'val_evaluator'):
        cfg[key] = None


def set_minutes(cfg: Config, minutes: float) -> list[str]:
    """Train for ``minutes``; :class:`TimeBudgetHook` anneals the learning rate.

    Args:
        cfg: The config, whose own schedulers are left out; changed.
        minutes: Time in training iterations, evaluation and saving not counted.

    Returns:
        What waits for an epoch that the time may not reach, in words.
    """
    remarks = [
        f'{switch.owner}.{switch.key}={switch.value} counts epochs, which the minutes '
        'may not reach'
        for switch in find_switches(cfg)
    ]
    cfg.param_scheduler = None
    _train_by_epoch(cfg, ConfigDict(type='TimeBudgetTrainLoop', max_epochs=_ENDLESS))
    cfg.custom_hooks = [
        *(cfg.get('custom_hooks') or []),
        ConfigDict(type='TimeBudgetHook', minutes=minutes),
    ]
    return remarks


def _schedulers(cfg: Config) -> list[ConfigDict]:
    schedulers = cfg.get('param_scheduler') or []
    if isinstance(schedulers, dict):
        schedulers = [schedulers]
    if any('type' not in scheduler for scheduler in schedulers):
        raise RecipeError(
            'param_scheduler has schedules for several optimizers, which cannot be '
            'scaled: take a config with one optimizer.'
        )
    for scheduler in schedulers:
        if 'ReduceOnPlateau' in str(scheduler.type):
            raise RecipeError(
                f'{scheduler.type} waits for figures of validations, so that it has no '
                'times to scale: take another schedule.'
            )
    return list(schedulers)


def _old_length(cfg: Config) -> tuple[int | None, int | None]:
    """Return epochs and iterations that the config trains; one of them is ``None``."""
    train_cfg = cfg.get('train_cfg') or {}
    epochs, iterations = train_cfg.get('max_epochs'), train_cfg.get('max_iters')
    if not epochs and not iterations:
        raise RecipeError(
            'train_cfg has neither max_epochs nor max_iters, to which the schedule '
            'belongs: add one.'
        )
    return (None, iterations) if iterations else (epochs, None)


def _time_of_iteration(
    schedulers: list[ConfigDict], total: int, old_iters: int | None
) -> Callable[[float], float]:
    """Return where an iteration of the old run lies in the new one."""
    old = max((item.end for item in schedulers if _warms_up(item)), default=0)
    new = min(old, max(1, round(WARM_UP * total)))

    def at(iteration: float) -> float:
        if iteration <= old:
            return iteration * new / old if old else 0
        if old_iters is None:
            raise RecipeError(
                f'param_scheduler counts {iteration} iterations in a config that '
                'trains by epochs: write them with by_epoch=True.'
            )
        # A short run's warm-up may end after that.
        return max(new, iteration * total / old_iters)

    return at


def _warms_up(scheduler: ConfigDict) -> bool:
    """Whether a scheduler raises a rate in the first iterations of a run."""
    rises = scheduler.get('end_factor', 1.0) >= scheduler.get('start_factor', 0.0)
    return (
        not scheduler.get('by_epoch', True)
        and _kind(scheduler) in _WARM_UPS
        and scheduler.get('begin', 0) == 0
        and scheduler.get('end', math.inf) < math.inf
        and rises
    )


def _scaled(
    scheduler: ConfigDict, at: Callable[[float], float], unit: float
) -> ConfigDict:
    """Copy a scheduler so that it counts iterations of the new run.

    Args:
        scheduler: Counts epochs or iterations of the old run.
        at: Tells where a time of the old run lies in the new one.
        unit: Iterations of the new run for one of the old one's unit.
    """
    new = ConfigDict(scheduler, by_epoch=False)
    new.pop('convert_to_iter_based', None)
    begin = new.get('begin') or 0

    def since_begin(time: float) -> int:
        return round(at(begin + time) - at(begin))

    for key in _POINTS:
        if new.get(key, math.inf) < math.inf:
            new[key] = round(at(new[key]))
    for key in _LENGTHS:
        if new.get(key) is not None:
            new[key] = max(since_begin(new[key]), int(key in ('T_max', 'step_size')))
    for key in _LISTS:
        if key in new:
            new[key] = [since_begin(time) for time in new[key]]
    if _kind(new) == 'ExponentialLR':
        new.gamma = new.gamma ** (1 / unit)
    return new


def _has_length(scheduler: ConfigDict) -> bool:
    """Whether a scheduler still has time to act.

    MMEngine's warm-ups of one iteration never leave their first value.
    """
    shortest = 2 if _kind(scheduler) in _WARM_UPS else 1
    duration = scheduler.get('end', math.inf) - scheduler.get('begin', 0)
    return duration >= shortest


def _kind(scheduler: ConfigDict) -> str:
    """Name of a scheduler, without a scope, that of a momentum as of a rate."""
    return kind_of(scheduler).replace('Momentum', 'LR')


def _remark(old: ConfigDict, new: ConfigDict, total: int) -> str:
    """Say how a scheduler was scaled to ``total`` iterations."""
    unit = 'epochs' if old.get('by_epoch', True) else 'iterations'
    kind = kind_of(old)
    before, after = (f'{kind}({_times(settings)})' for settings in (old, new))
    if not _has_length(new):
        return f'{before} in {unit} would be too short and is left out'
    return f'{before} in {unit} became {after} in {total} iterations'


def _times(scheduler: ConfigDict) -> str:
    keys = (*_POINTS, *_LENGTHS, *_LISTS)
    return ', '.join(f'{key}={scheduler[key]}' for key in keys if key in scheduler)


def _scale_begin_iter(cfg: Config, total: int, old_iters: int | None) -> list[str]:
    """Scale the iteration in which hooks begin, as an EMA.

    Where the config does not say how many there are, it is kept as a warm-up is.
    """
    remarks = []
    for hook in cfg.get('custom_hooks') or []:
        old = hook.get('begin_iter')
        if not old:
            continue
        if old_iters is None:
            hook.begin_iter = min(old, max(1, round(WARM_UP * total)))
        else:
            hook.begin_iter = round(old * total / old_iters)
        name = f'{hook.type}.begin_iter'
        remarks.append(f'{name}={old} became {hook.begin_iter} of {total} iterations')
    return remarks


def _train_by_epoch(cfg: Config, train_cfg: ConfigDict) -> None:
    """Train in epochs, also a config that counts iterations."""
    cfg.train_cfg = train_cfg
    # The samplers of such configs never end.
    sampler = cfg.train_dataloader.get('sampler') or {}
    if 'Infinite' in str(sampler.get('type')):
        cfg.train_dataloader.sampler = ConfigDict(_EPOCH_SAMPLER)
    cfg.log_processor = _by_epoch(cfg.get('log_processor'))


def _by_epoch(settings: Any) -> ConfigDict:
    return ConfigDict({'type': 'LogProcessor', **(settings or {}), 'by_epoch': True})
