"""Walks through the data sets and transforms of a config."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config


def transforms_of(cfg: Config) -> Iterator[dict]:
    """Yield the transforms of all loaders of a config, also those within others.

    With those that mmdet's ``PipelineSwitchHook`` puts in their place later.
    """
    for key in ('train', 'val', 'test'):
        loader = cfg.get(f'{key}_dataloader')
        if loader:
            yield from transforms_of_dataset(loader.dataset)
    for hook in cfg.get('custom_hooks') or []:
        yield from nested(hook.get('switch_pipeline') or [])


def transforms_of_dataset(dataset: dict) -> Iterator[dict]:
    """Yield the transforms of a data set and of those that it wraps."""
    yield from nested(dataset.get('pipeline') or [])
    for part in wrapped_in(dataset):
        yield from transforms_of_dataset(part)


def without_step(dataset: dict, kind: str) -> None:
    """Take the transforms of a type out of the pipelines of a data set, in place."""
    if dataset.get('pipeline'):
        kept = [step for step in dataset['pipeline'] if kind_of(step) != kind]
        dataset['pipeline'] = kept
    for part in wrapped_in(dataset):
        without_step(part, kind)


def wrapped_in(dataset: dict) -> list[dict]:
    """Return the data sets that a data set holds, where it is a wrapper."""
    held = dataset.get('datasets') or [dataset.get('dataset')]
    return [part for part in held if part is not None]


def resize_of(cfg: Config) -> dict | None:
    """Return the ``Resize`` by which test images get a size; ``None`` without one."""
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    for step in transforms_of_dataset(dataset):
        if kind_of(step).endswith('Resize') and step.get('scale'):
            return step
    return None


def scale_of(resize: dict) -> tuple[int, int]:
    """Return the width and height, pixels, that a ``Resize`` names."""
    scale = resize['scale']
    return (scale, scale) if isinstance(scale, int) else tuple(scale)


def nested(value: Any) -> Iterator[dict]:
    """Yield all dicts within lists and dicts, the outer ones first."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from nested(part)


def kind_of(settings: Mapping[str, Any]) -> str:
    """Name of the type that settings ask for, by name or class, without a scope."""
    kind = settings.get('type') or ''
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', str(kind))
    return name.split('.')[-1]
