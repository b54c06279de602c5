"""Where checkpoints come from: what each way of naming one stands for on disk."""

import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlparse

import mmengine
from mmengine.logging import print_log
from mmengine.runner import checkpoint as host

from ..utils.builds import did_you_mean, did_you_mean_file
from ..utils.exported import is_exported
from .download import fetch
from .errors import CheckpointError
from .zoo import SCHEME, find_weights, is_in_zoo, similar_weights
from .zoo.finding import cache_folder

_TORCHVISION = 'torchvision_0.12.json'
_CONFIGS = ('.py', '.yaml', '.yml')
_WEB = ('http://', 'https://')


class Found(NamedTuple):
    """A checkpoint on this disk.

    Attributes:
        path: The file.
        source: What errors call it: where it comes from.
    """

    path: str
    source: str


def find_checkpoint(name: str) -> Found | None:
    """Find a checkpoint, and download it where it has to be.

    Args:
        name: A path, a URL, a name of the zoo, or one with a scheme of MMEngine.

    Returns:
        The file; ``None`` for schemes whose files are never on this disk.

    Raises:
        FileNotFoundError: If ``name`` is no URL and no file.
        CheckpointError: If there is no such model, or it cannot be downloaded.
    """
    if '://' not in name:
        return find_on_disk(name)
    for prefixes, find in _FINDERS.items():
        if name.startswith(prefixes):
            return find(name)
    return None


def find_on_disk(name: str) -> Found:
    """Find a file by its path, or, where there is none, weights of the zoo by name.

    Raises:
        FileNotFoundError: If there is neither.
        CheckpointError: As :func:`.find_weights`, or if it is an exported file, or no
            regular file, as a device, of which there is no end.
    """
    path = os.path.expanduser(name)
    _check_not_exported(path)
    if os.path.isfile(path):
        return Found(path, path)
    if is_in_zoo(name):
        return find_in_zoo(name)
    if os.path.lexists(path):
        raise CheckpointError(_no_file(path))
    raise FileNotFoundError(f'The checkpoint {path} does not exist.')


def check_checkpoint(name: str) -> None:
    """Stop where a checkpoint on disk, or a name of the zoo, does not exist.

    Raises:
        CheckpointError: If ``name`` is no URL, no file and no name of the zoo, one of
            the zoo that does not load, a config, or an exported file.
    """
    _check_not_exported(name)
    path = Path(os.path.expanduser(name))
    if path.is_file() and path.suffix.lower() in _CONFIGS:
        raise CheckpointError(
            f'{name} is a config, and no checkpoint: name a file of weights (.pth or '
            '.safetensors).'
        )
    if path.is_file() or ('://' in name and not name.startswith(SCHEME)):
        return
    if is_in_zoo(name):
        find_in_zoo(name)
    elif os.path.lexists(path):
        raise CheckpointError(_no_file(name))
    else:
        hint = similar_weights(name) or did_you_mean_file(path) or 'check the path.'
        raise CheckpointError(f'There is no checkpoint {name}: {hint}')


def _check_not_exported(name: str) -> None:
    if is_exported(name):
        raise CheckpointError(
            f'{name} is an exported detector, which has no weights to load: name the '
            'checkpoint that it was made of.'
        )


def _no_file(name: str) -> str:
    """Say what stands where a checkpoint would be."""
    if os.path.isdir(os.path.expanduser(name)):
        return f'{name} is a folder: name a checkpoint (.pth) in it.'
    return (
        f'{name} is no regular file, but a device, a pipe or a link that leads to no '
        'file: name a checkpoint.'
    )


def find_in_zoo(name: str) -> Found:
    """Find weights of the zoo, with ``m2det://`` before their name or without.

    Raises:
        CheckpointError: As :func:`.find_weights`.
    """
    return Found(str(find_weights(name, progress=os.isatty(0))), name)


def find_on_web(
    url: str, folder: str | None = None, *, progress: bool | None = None
) -> Found:
    """Download a file, unless it is in PyTorch's cache.

    Args:
        url: Its address.
        folder: Where it goes; PyTorch's cache by default.
        progress: Whether to show a bar; by default where somebody looks.

    Raises:
        CheckpointError: If it cannot be downloaded; names the place for a copy made by
            hand.
    """
    name = os.path.basename(urlparse(url).path)
    if not name:
        raise CheckpointError(f'{url} names no file: give the address of a checkpoint.')
    path = os.path.join(folder or cache_folder(), name)
    fetch(url, path, progress=os.isatty(0) if progress is None else progress)
    return Found(path, f'{url} (downloaded to {path}; delete that to download again)')


def find_of_torchvision(name: str) -> Found:
    """Find a model of torchvision, ``torchvision://resnet50``.

    Without torchvision the names are those of its version 0.12, of which MMEngine
    keeps a list.
    """
    if find_spec('torchvision'):
        urls = host.get_torchvision_models()
    else:
        urls = mmengine.load(Path(mmengine.__file__).with_name('hub') / _TORCHVISION)
    return find_on_web(_look_up(name, urls))


def find_of_openmmlab(name: str) -> Found:
    """Find a model of OpenMMLab, ``open-mmlab://detectron/resnet50_caffe``."""
    name = name.partition('://')[2]
    newer_names = host.get_deprecated_model_names()
    if name in newer_names:
        print_log(f'{name} is now called {newer_names[name]}.', logger='current')
        name = newer_names[name]
    url = _look_up(f'open-mmlab://{name}', host.get_external_models())
    if url.startswith(_WEB):
        return find_on_web(url)
    return find_on_disk(os.path.join(host._get_mmengine_home(), url))


def find_of_mmcls(name: str) -> Found:
    """Find a classifier of OpenMMLab, ``mmcls://vgg16``."""
    return find_on_web(_look_up(name, host.get_mmcls_models()))


_FINDERS: Mapping[tuple[str, ...], Callable[[str], Found]] = {
    _WEB: find_on_web,
    (SCHEME,): find_in_zoo,
    ('torchvision://', 'modelzoo://'): find_of_torchvision,
    ('open-mmlab://', 'openmmlab://'): find_of_openmmlab,
    ('mmcls://',): find_of_mmcls,
}


def _look_up(filename: str, models: Mapping[str, str]) -> str:
    """Return the address of a model that a list has by name.

    Raises:
        CheckpointError: If the list has no such name; offers similar ones.
    """
    name = filename.partition('://')[2]
    if name not in models:
        hint = did_you_mean(name, sorted(models)) or 'check the name.'
        raise CheckpointError(f'There is no model {filename}: {hint}')
    return models[name]
