"""Weights alone, as a detector needs them, in the form of one of two kinds of file.

A checkpoint of a training has much more: the state of the optimizer, the logged values,
and, where weights are averaged, those of the last step. What is evaluated, the averages
where there are such, is its ``state_dict``, and that is what is kept.
"""

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..utils.files import write_whole
from .safetensors_files import SUFFIX, write_safetensors
from .weights import state_dict_of

PICKLE, SAFETENSORS = FORMS = ('pth', 'safetensors')


def form_of(path: Path) -> str:
    """Return the form of a file that is to be written, which its name tells."""
    return SAFETENSORS if path.suffix.lower() == SUFFIX else PICKLE


def weights_alone(checkpoint: Mapping[str, Any]) -> OrderedDict[str, Tensor]:
    """Return the tensors of a checkpoint by the names of a model on one device."""
    state_dict = state_dict_of(checkpoint)
    weights = OrderedDict(
        (name.removeprefix('module.'), value)
        for name, value in state_dict.items()
        if isinstance(value, Tensor)
    )
    if (versions := getattr(state_dict, '_metadata', None)) is not None:
        weights._metadata = versions
    return weights


def classes_and_colours(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a checkpoint keeps of its classes, as plain values.

    Before version 3 mmdet wrote the keys in capitals.
    """
    meta = checkpoint.get('meta') or {}
    known = {**meta, **(meta.get('dataset_meta') or {})}
    known = {key.lower(): value for key, value in known.items() if value is not None}
    kept = {key: known[key] for key in ('classes', 'palette') if key in known}
    return {
        key: value.tolist() if isinstance(value, np.ndarray) else value
        for key, value in kept.items()
    }


def write_weights(
    path: Path,
    weights: Mapping[str, Tensor],
    dataset_meta: Mapping[str, Any],
    config: str | None,
    *,
    form: str,
) -> None:
    """Write weights with their classes and their config, whole or not at all.

    Args:
        path: Where to write.
        weights: Tensors by name.
        dataset_meta: Names and colours of the classes.
        config: The text of the config.
        form: ``'pth'``, as MMEngine writes it, or ``'safetensors'``.

    Raises:
        M2DetError: If the file cannot be written.
    """
    if form == SAFETENSORS:
        write_safetensors(path, weights, dataset_meta, config=config)
        return
    meta = {'dataset_meta': dict(dataset_meta)} if dataset_meta else {}
    if config is not None:
        meta['cfg'] = config
    checkpoint = {'meta': meta, 'state_dict': weights}
    write_whole(path, lambda file: torch.save(checkpoint, file))
