"""What the result of a run depends on, and how two of them differ."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..utils.pipelines import kind_of
from ..utils.texts import one_line
from .identity import digest_of_file

# What counts of a config, besides its hooks and what its data hold. Everything else is
# how it was written (variables that only the config reads), where it works, or what it
# shows.
_COUNTED = (
    'runner_type',
    'default_scope',
    'custom_imports',
    'model',
    'data_preprocessor',
    'load_from',
    'train_dataloader',
    'train_cfg',
    'optim_wrapper',
    'param_scheduler',
    'auto_scale_lr',
    'randomness',
    'test_dataloader',
    'test_cfg',
    'test_evaluator',
)
# What does not count within these: how fast data load,
_SPEED_ALONE = ('num_workers', 'persistent_workers', 'prefetch_factor', 'pin_memory')
# where they lie,
_PLACES = (
    'data_root',
    'data_prefix',
    'ann_file',
    'allow_outside',
    'backend_args',
    'outfile_prefix',
)
# and how they are drawn.
_LOOKS = ('palette',)
# Weights to start from, which count by the content of their file.
_WEIGHTS = ('checkpoint', 'load_from', 'pretrained')
# Hooks that watch a run and change nothing of it, by their places and types.
_WATCHING_PLACES = ('runtime_info', 'timer', 'logger', 'checkpoint', 'visualization')
_WATCHING = (
    'CheckInvalidLossHook',
    'CheckpointHook',
    'ClassCheckHook',
    'DetVisualizationHook',
    'EmptyCacheHook',
    'FiniteLossHook',
    'IterTimerHook',
    'LoggerHook',
    'PlainNamesHook',
    'MemoryProfilerHook',
    'NumClassCheckHook',
    'ProfilerHook',
    'PyramidCheckHook',
    'ResultsTableHook',
    'RuntimeInfoHook',
    'SafetensorsHook',
    'TrainingCostHook',
    'WeightsCheckHook',
)
_SHOWN = 60  # characters of a value


def settings_of(cfg: Config, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a result depends on, as values that JSON has.

    Args:
        cfg: The config that is trained.
        data: What :func:`.data_identity` found of its data, which count by their
            content and may move.
    """
    return {
        **_counted(json.loads(json.dumps(cfg.to_dict(), default=str))),
        'data': data,
    }


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """List what differs between two settings, as ``key: old, now new``.

    Of data, which are digests here, it says that they differ.
    """
    before, now = dict(leaves('', _renewed(old))), dict(leaves('', new))
    if 'config' in old:
        # What an earlier version did not write down.
        now = {key: now[key] for key in now if _part(key) != 'data' or key in before}
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    found = (_difference(key, before, now) for key in sorted(keys))
    return list(dict.fromkeys(found))


def _counted(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what counts of a config, which consists of values that JSON has."""
    found = {
        key: _kept(key, config[key]) for key in _COUNTED if config.get(key) is not None
    }
    if not found.get('auto_scale_lr', {}).get('enable'):
        found.pop('auto_scale_lr', None)
    hooks = {
        place: hook
        for place, hook in (config.get('default_hooks') or {}).items()
        if place not in _WATCHING_PLACES and not _watches(hook)
    }
    custom = [hook for hook in config.get('custom_hooks') or [] if not _watches(hook)]
    found['hooks'] = _kept('hooks', {**hooks, 'custom': custom})
    return found


def _watches(hook: Any) -> bool:
    return isinstance(hook, dict) and kind_of(hook) in _WATCHING


def _kept(key: str, value: Any) -> Any:
    """Copy a nested value without what does not count."""
    if isinstance(value, dict):
        left_out = (*_SPEED_ALONE, *_PLACES, *_LOOKS)
        return {k: _kept(k, v) for k, v in value.items() if k not in left_out}
    if isinstance(value, list):
        return [_kept('', item) for item in value]
    if key in _WEIGHTS and isinstance(value, str) and Path(value).is_file():
        return f'a file with the digest {digest_of_file(value)}'
    return value


def _renewed(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings as this version has them.

    An earlier one kept the whole config, and of the data the annotations alone.
    """
    if 'config' not in settings:
        return settings
    data = {
        key: [{'annotations': digest} for digest in digests]
        for key, digests in settings['annotations'].items()
    }
    return {**_counted(settings['config']), 'data': data}


def _difference(key: str, before: dict[str, Any], now: dict[str, Any]) -> str:
    if _part(key) == 'data':
        _, use, *_, what = key.split('.')
        have = 'other names or sizes' if what == 'images' else 'another content'
        return f'the {what} to {use} on have {have}'
    return f'{key}: {_shown(before, key)}, now {_shown(now, key)}'


def _part(key: str) -> str:
    return key.partition('.')[0]


def leaves(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested dicts and lists by their dotted keys."""
    if isinstance(value, dict | list) and value:
        items: Iterable = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from leaves(f'{prefix}.{key}' if prefix else str(key), item)
    else:
        yield prefix, value


def _shown(values: dict[str, Any], key: str) -> str:
    if key not in values:
        return 'absent'
    return one_line(values[key], _SHOWN)
