"""Walks through the transforms of a config."""

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config


def transforms_of(cfg: Config) -> Iterator[dict]:
    """Yield the transforms of all loaders of a config, also those within others."""
    for key in ('train', 'val', 'test'):
        loader = cfg.get(f'{key}_dataloader')
        if loader:
            yield from transforms_of_dataset(loader.dataset)


def transforms_of_dataset(dataset: dict) -> Iterator[dict]:
    """Yield the transforms of a data set and of those that it wraps."""
    yield from nested(dataset.get('pipeline') or [])
    for part in dataset.get('datasets') or [dataset.get('dataset')]:
        if part is not None:
            yield from transforms_of_dataset(part)


def nested(value: Any) -> Iterator[dict]:
    """Yield all dicts within lists and dicts, the outer ones first."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from nested(part)


def kind_of(settings: dict) -> str:
    """Name of the type that settings ask for, without a scope."""
    return str(settings.get('type')).split('.')[-1]
