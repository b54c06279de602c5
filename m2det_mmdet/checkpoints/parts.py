"""What is checked of the parts of a checkpoint, by MMEngine's names for them.

A checkpoint is a state dict, or a mapping of parts: ``state_dict`` (or ``model``),
``ema_state_dict``, ``meta``, ``message_hub``, ``optimizer`` and ``param_schedulers``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from ..utils.texts import one_line, shown
from ..utils.values import is_count
from .errors import Refusal

_PARTS = {
    'state_dict': Mapping,
    'ema_state_dict': Mapping,
    'meta': Mapping,
    'message_hub': Mapping,
    'optimizer': Mapping,
    'param_schedulers': (list, Mapping),
    'gradients': Mapping,
}
_HUB = ('log_scalars', 'runtime_info', 'resumed_keys')
# MMEngine compares all of them with each other.
_ENTRIES = 10**4
# Counts and seeds above are slips, and some loops would count up to them.
_COUNTS = {'epoch': 2**31, 'iter': 2**40, 'seed': 2**32}


def check_parts(checkpoint: Any) -> str | None:
    """Check the parts, and take out the texts of configs.

    A config is a program. MMEngine writes the text of a run's config into checkpoints,
    runs it when a training is resumed and when an inferencer is given a checkpoint
    alone; nothing that runs may come from a checkpoint.

    Returns:
        The text of the config, of which :func:`.embedded_config` reads the data;
        ``None`` if there is none.

    Raises:
        Refusal: If ``checkpoint`` is no mapping, or a part is not of its kind.
    """
    _check_mapping('the file', checkpoint)
    for name, kind in _PARTS.items():
        if checkpoint.get(name) is None:
            checkpoint.pop(name, None)
        elif not isinstance(checkpoint[name], kind):
            raise Refusal(f'its part {name} is {shown(checkpoint[name])}')
        elif kind is Mapping:
            _check_mapping(name, checkpoint[name])
    if 'ema_state_dict' in checkpoint:
        _check_averages(checkpoint['ema_state_dict'], checkpoint.get('state_dict', {}))
    texts: list[Any] = []
    if 'meta' in checkpoint:
        texts.append(_check_meta(checkpoint['meta']))
    if 'message_hub' in checkpoint:
        texts.append(_check_hub(checkpoint['message_hub']))
    return next((text for text in texts if isinstance(text, str)), None)


def _check_averages(averages: Mapping[str, Any], weights: Mapping[str, Any]) -> None:
    """Check what a resumed training puts in the place of the weights, and back."""
    for name, average in averages.items():
        if not name.startswith('module.'):
            continue
        weight = weights.get(name.removeprefix('module.'))
        tensors = isinstance(average, Tensor) and isinstance(weight, Tensor)
        if not tensors or average.shape != weight.shape:
            place = f'ema_state_dict.{one_line(name, 60)}'
            raise Refusal(f'its {place} is no average of a tensor of state_dict')


def _check_meta(meta: dict[str, Any]) -> Any:
    """Check the facts on a checkpoint; take out, and return, what stands for a config.

    MMEngine and mmcv each have a name of their own for it.
    """
    configs = [meta.pop(key, None) for key in ('cfg', 'config')]
    for key, limit in _COUNTS.items():
        count = meta.get(key)
        if count is None:
            meta.pop(key, None)
        elif not is_count(count) or count >= limit:
            raise Refusal(f'its meta.{key} is {shown(count)}')
    if (dataset_meta := meta.get('dataset_meta')) is None:
        meta.pop('dataset_meta', None)
    else:
        _check_mapping('meta.dataset_meta', dataset_meta)
        _check_classes('meta.dataset_meta.', dataset_meta)
    _check_classes('meta.', meta)
    return configs[0] or configs[1]


def _check_classes(place: str, info: Mapping[str, Any]) -> None:
    """Check names and colours; mmdet wrote them in capitals before version 3."""
    for key in ('classes', 'CLASSES'):
        if key in info and not _is_list_of(info[key], str):
            raise Refusal(f'its {place}{key} are {shown(info[key])}, not names')
    for key in ('palette', 'PALETTE'):
        colours = info.get(key)
        if not (colours is None or isinstance(colours, str) or _are_colours(colours)):
            raise Refusal(f'its {place}{key} is {shown(colours)}, not colours')


def _are_colours(colours: Any) -> bool:
    """Whether it is a sequence of triples of numbers from 0 to 255."""
    if isinstance(colours, np.ndarray):
        colours = colours.tolist()
    return _is_list_of(colours, list | tuple) and all(
        len(colour) == 3 and all(is_count(part) and part < 256 for part in colour)
        for colour in colours
    )


def _check_hub(hub: dict[str, Any]) -> Any:
    """Check the message hub; take out, and return, what stands for a config."""
    for name in _HUB:
        _check_mapping(f'message_hub.{name}', hub.get(name))
        if len(hub[name]) > _ENTRIES:
            raise Refusal(f'its message_hub.{name} has {len(hub[name])} entries')
    config = hub['runtime_info'].pop('cfg', None)
    for key, value in hub['resumed_keys'].items():
        if not isinstance(value, bool):
            place = f'message_hub.resumed_keys.{one_line(key, 60)}'
            raise Refusal(f'its {place} is {shown(value)}')
    return config


def _check_mapping(name: str, value: Any) -> None:
    """Check that names lead to values."""
    if not isinstance(value, Mapping):
        raise Refusal(f'{name} is {shown(value)}, not a mapping of names')
    for key in value:
        if not isinstance(key, str):
            raise Refusal(f'{name} has {shown(key)} where a name would be')


def _is_list_of(values: Any, kind: Any) -> bool:
    return isinstance(values, list | tuple) and all(isinstance(x, kind) for x in values)
