"""What a model starts from: the weights that its settings name."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from .errors import CheckpointError
from .sources import find_checkpoint

# Names of an argument that is a file of weights.
_WEIGHTS = re.compile('(^|_)(pretrained|ckpt|checkpoint|load_from)(_path|_file)?$')
_INITIALIZERS = ('Pretrained', 'PretrainedInit')


class Pretrained(NamedTuple):
    """Weights that a part of a model starts from.

    Attributes:
        place: The setting, by its dotted key: ``backbone.init_cfg``.
        checkpoint: The checkpoint, as the setting names it.
    """

    place: str
    checkpoint: str


def pretrained_of(settings: Any, place: str = '') -> Iterator[Pretrained]:
    """Yield what names weights to start from: see :func:`without_pretrained`.

    Left out is what names no file and no address: timm's ``pretrained=True``, and
    names that other libraries look up.

    Args:
        settings: The settings of a model, or a part of them.
        place: The dotted key of ``settings``.
    """
    if _is_pretrained(settings):
        yield Pretrained(place, str(settings.get('checkpoint')))
    elif isinstance(settings, dict):
        for key, value in settings.items():
            inner = f'{place}.{key}'.lstrip('.')
            if isinstance(value, str) and _WEIGHTS.search(str(key)) and '://' in value:
                yield Pretrained(inner, value)
            yield from pretrained_of(value, inner)
    elif isinstance(settings, list | tuple):
        for index, value in enumerate(settings):
            inner = place if _is_pretrained(value) else f'{place}.{index}'
            yield from pretrained_of(value, inner)


def without_pretrained(settings: Any) -> Any:
    """Copy the settings of a model without what names weights to start from.

    Those are MMEngine's initializer ``Pretrained``, alone, in a list or within another
    one; files of weights by name (``pretrained``, ``teacher_ckpt``,
    ``checkpoint_path``); and timm's ``pretrained=True``.

    Args:
        settings: A config, or a part of one; ``init_cfg`` of other kinds is kept.
    """
    if isinstance(settings, dict):
        return type(settings)(
            {key: _without_file(key, value) for key, value in settings.items()}
        )
    if isinstance(settings, list | tuple):
        kept = [without_pretrained(x) for x in settings if not _is_pretrained(x)]
        # Without any initializer a module takes its own.
        return type(settings)(kept) if kept or not settings else None
    return settings


def _without_file(key: str, value: Any) -> Any:
    """Return a setting of a module, or what stands for no weights in its place."""
    if key == 'pretrained' and value is True:
        return False
    if _is_pretrained(value) or (isinstance(value, str) and _WEIGHTS.search(str(key))):
        return None
    return without_pretrained(value)


def _is_pretrained(value: Any) -> bool:
    """Whether a setting is MMEngine's initializer by a file, by name or as a class."""
    if not isinstance(value, dict):
        return False
    kind = value.get('type')
    name = getattr(kind, '__name__', str(kind))
    return name.rpartition('.')[-1] in _INITIALIZERS


def without_covered(
    model: dict[str, Any],
    weights: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
) -> dict[str, Any]:
    """Copy the settings of a model without weights that a checkpoint replaces.

    A part of the model, as its backbone, starts from nothing else where the checkpoint
    that is loaded into the whole model has all tensors of that part.

    Args:
        model: The settings.
        weights: Tensors of the checkpoint.
        expected: Tensors of the model, which may be without values.
    """
    kept = dict(model)
    for key, value in model.items():
        own = [name for name in expected if name.startswith(f'{key}.')]
        if own and all(
            name in weights and weights[name].shape == expected[name].shape
            for name in own
        ):
            kept[key] = without_pretrained(value)
    return type(model)(kept)


def fetch_pretrained(model: Mapping[str, Any]) -> None:
    """Find all weights that a model starts from, and download those that are not here.

    Args:
        model: The settings of the model.

    Raises:
        CheckpointError: If one cannot be had: names the setting, and the ways on.
    """
    for place, checkpoint in pretrained_of(model):
        try:
            find_checkpoint(checkpoint)
        except (CheckpointError, FileNotFoundError) as error:
            reason = str(error).removesuffix('.')
            raise CheckpointError(
                f'model.{place} names weights that are not here: {reason}; or start '
                'without them, from a checkpoint of the whole model (--from NAME, or '
                f'load_from in the config) or from random weights (model.{place}=None).'
            ) from error
