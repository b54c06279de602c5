"""Tells a model and its inputs apart, which are all words."""

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ..utils.errors import M2DetError

_CONFIGS = ('.py', '.yaml', '.yml')
_WEIGHTS = ('.pth', '.pt', '.safetensors')


def split_words(
    model: str, inputs: Sequence[str]
) -> tuple[str, str | None, Sequence[str]]:
    """Find a checkpoint between a config and the inputs.

    A config is what has the suffix or the name of one. The word behind it is its
    checkpoint, with an exception: the zoo has weights for some names of configs, and
    behind such a name a checkpoint is what has the suffix of one or is a name of the
    zoo, and no folder.

    Args:
        model: The first word.
        inputs: The others, at least one.

    Returns:
        The model, the checkpoint if there is one, and the inputs.

    Raises:
        M2DetError: If the checkpoint or an input is missing, two checkpoints are given,
            images come before the model, or a word may be a checkpoint or an input.
    """
    from ..checkpoints.zoo import is_in_zoo
    from ..utils.configs import shipped_configs

    _check_order(model, inputs)
    second, *rest = inputs
    is_config = _is_config(model, [*shipped_configs()])
    has_weights = is_in_zoo(model) and not os.path.exists(model)
    is_weights = _has_suffix(second, _WEIGHTS) or is_in_zoo(second)
    if os.path.isdir(second) and not is_in_zoo(second):
        is_weights = False
    if not is_config and not os.path.isdir(model):
        if _has_suffix(second, _WEIGHTS) and is_weights:
            raise M2DetError(
                f'{second} is a checkpoint, which is no image, and {model} before it '
                'is no config: give one model, then images.'
            )
        return model, None, inputs
    if not is_weights and (has_weights or not is_config):
        return model, None, inputs
    if is_in_zoo(second) and os.path.exists(second):
        raise M2DetError(
            f'{second} is a name of weights, and a file or folder here: write '
            f'./{second} for images, or the path of a checkpoint.'
        )
    if not is_weights and (os.path.isdir(second) or not rest):
        raise M2DetError(
            f'{model} is a config, which has no weights, and {second} behind it is no '
            'checkpoint: give one between them, or a run folder or a checkpoint in the '
            'place of the config.'
        )
    if not rest:
        raise M2DetError(
            f'There is no image behind {model} and {second}: give images, folders, '
            'patterns or URLs, or a video.'
        )
    return model, second, rest


def is_image(word: str) -> bool:
    """Whether a word has the suffix of an image."""
    from mmdet.apis.det_inferencer import IMG_EXTENSIONS

    return _has_suffix(word, IMG_EXTENSIONS)


def _check_order(first: str, others: Sequence[str]) -> None:
    """Stop where images come before the model."""
    from ..checkpoints.zoo import is_in_zoo
    from ..utils.videos import is_video

    is_input = os.path.isfile(first) and (is_image(first) or is_video(first))
    if not is_input and (not os.path.isdir(first) or _is_run(first)):
        return
    for word in others:
        if _is_run(word) or (is_in_zoo(word) and not os.path.exists(word)):
            raise M2DetError(
                f'{first} is no model, and {word} behind it is one: the model comes '
                'first, then the images.'
            )


def _is_run(word: str) -> bool:
    return os.path.isdir(word) and any(Path(word).glob('*.py'))


def _is_config(word: str, known: Sequence[str]) -> bool:
    if os.path.isdir(word):
        return False
    return _has_suffix(word, _CONFIGS) or '::' in word or word in known


def _has_suffix(word: str, suffixes: Sequence[str]) -> bool:
    path = urlsplit(word).path if '://' in word else word
    return path.lower().endswith(tuple(suffixes))
