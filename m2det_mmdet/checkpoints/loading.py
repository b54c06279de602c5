"""Checkpoints that load safely, on both lines of MMEngine.

A checkpoint is a pickle, and a pickle can run any command. MMEngine 0.10.7 leaves the
choice to torch, whose restricted reader then refuses the very checkpoints that MMEngine
writes; the onedl line falls back to the unrestricted reader; downloads use that one on
both lines. Here every scheme of ``CheckpointLoader`` reads with ``weights_only=True``
and a list of the plain types that MMEngine stores beside the weights; then the parts
are checked, and texts of configs, which MMEngine would run, are taken out.
"""

import io
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO
from urllib.error import URLError
from urllib.parse import urlparse

import mmengine
import torch
from mmengine.dist import barrier, get_dist_info
from mmengine.fileio import get_file_backend
from mmengine.logging import print_log
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as host

from ..utils.builds import did_you_mean
from ..utils.texts import one_line
from .archives import check_archive
from .contents import clean
from .errors import CheckpointError, Refusal
from .parts import check_parts
from .pickles import check_pickle
from .safe_types import safe_globals

_TORCHVISION = 'torchvision_0.12.json'

MapLocation = str | torch.device | dict | Callable | None


def install() -> None:
    """Replace the loaders of all schemes that MMEngine registers."""
    for prefixes, loader in _LOADERS:
        CheckpointLoader.register_scheme(prefixes, loader, force=True)


def load_safely(
    file: str | BinaryIO, map_location: MapLocation = None, *, source: str | None = None
) -> Any:
    """Load a checkpoint that holds tensors and plain data, and nothing that runs.

    Args:
        file: Path of the file, or the open file.
        map_location: As for :func:`torch.load`.
        source: What errors call the file; its path by default.

    Returns:
        A mapping of names. Texts of configs are left out of it: in ``meta``, as
        ``cfg`` and ``config``, and in the message hub, as ``cfg``.

    Raises:
        CheckpointError: If the file is damaged, is no checkpoint, names a type or
            function that a checkpoint may not hold, or has parts that none can have.
    """
    with _explained(source or str(file), file), safe_globals():
        size = _size(file)
        check_archive(file, size)
        check_pickle(file)
        checkpoint = torch.load(file, map_location=map_location, weights_only=True)
        checkpoint = clean(checkpoint, size)
        check_parts(checkpoint)
    return checkpoint


def check_checkpoint(name: str) -> None:
    """Stop where a checkpoint on disk does not exist.

    Raises:
        CheckpointError: If ``name`` is no URL and no file.
    """
    if '://' in name or (path := Path(name).expanduser()).is_file():
        return
    if path.is_dir():
        raise CheckpointError(f'{name} is a folder: name a checkpoint (.pth) in it.')
    raise CheckpointError(f'There is no checkpoint {name}: check the path.')


def load_from_safe_local(filename: str, map_location: MapLocation = None) -> Any:
    """Load from a path.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: As :func:`load_safely`.
    """
    path = os.path.expanduser(filename)
    if not os.path.isfile(path):
        raise FileNotFoundError(f'The checkpoint {path} does not exist.')
    return load_safely(path, map_location)


def load_from_safe_http(
    filename: str,
    map_location: MapLocation = None,
    model_dir: str | None = None,
    progress: bool = os.isatty(0),
) -> Any:
    """Load from a URL by way of torch's cache; rank 0 downloads, the others wait.

    Raises:
        CheckpointError: If it cannot be downloaded; names the place for a copy made by
            hand. Otherwise as :func:`load_safely`.
    """
    if model_dir is None:
        model_dir = os.path.join(torch.hub.get_dir(), 'checkpoints')
    path = os.path.join(model_dir, os.path.basename(urlparse(filename).path))
    rank, _ = get_dist_info()
    try:
        if rank == 0 and not os.path.isfile(path):
            os.makedirs(model_dir, exist_ok=True)
            with _downloading(filename, path):
                torch.hub.download_url_to_file(filename, path, progress=progress)
    finally:
        # The others go on, and find that there is no file, where the download fails.
        barrier()
    source = f'{filename} (downloaded to {path}; delete that to download again)'
    return load_safely(path, map_location, source=source)


def load_from_safe_torchvision(filename: str, map_location: MapLocation = None) -> Any:
    """Load a model of torchvision by name, ``torchvision://resnet50``.

    Without torchvision the names are those of its version 0.12, of which MMEngine
    keeps a list.
    """
    if find_spec('torchvision'):
        urls = host.get_torchvision_models()
    else:
        urls = mmengine.load(Path(mmengine.__file__).with_name('hub') / _TORCHVISION)
    return load_from_safe_http(_look_up(filename, urls), map_location)


def load_from_safe_openmmlab(filename: str, map_location: MapLocation = None) -> Any:
    """Load a model of OpenMMLab by name, ``open-mmlab://detectron/resnet50_caffe``."""
    name = _name(filename)
    newer_names = host.get_deprecated_model_names()
    if name in newer_names:
        print_log(f'{name} is now called {newer_names[name]}.', logger='current')
        name = newer_names[name]
    url = _look_up(f'open-mmlab://{name}', host.get_external_models())
    if url.startswith(('http://', 'https://')):
        return load_from_safe_http(url, map_location)
    return load_from_safe_local(
        os.path.join(host._get_mmengine_home(), url), map_location
    )


def load_from_safe_mmcls(filename: str, map_location: MapLocation = None) -> dict:
    """Load the backbone of a classifier of OpenMMLab by name, ``mmcls://vgg16``."""
    url = _look_up(filename, host.get_mmcls_models())
    checkpoint = load_from_safe_http(url, map_location)
    weights = checkpoint.get('state_dict', checkpoint)
    prefix = 'backbone.'
    backbone = OrderedDict(
        (key.removeprefix(prefix), value)
        for key, value in weights.items()
        if key.startswith(prefix)
    )
    return {'state_dict': backbone}


def load_from_safe_ceph(
    filename: str, map_location: MapLocation = None, backend: str = 'petrel'
) -> Any:
    """Load from S3 by one of MMEngine's file backends."""
    storage = get_file_backend(filename, backend_args={'backend': backend})
    with io.BytesIO(storage.get(filename)) as file:
        return load_safely(file, map_location, source=filename)


def load_from_safe_pavi(filename: str, map_location: MapLocation = None) -> Any:
    """Load from Pavi's model cloud.

    Raises:
        ImportError: If ``pavi`` is not installed.
    """
    from pavi import modelcloud

    model = modelcloud.get(_name(filename))
    with TemporaryDirectory() as folder:
        path = os.path.join(folder, model.name)
        model.download(path)
        return load_safely(path, map_location, source=filename)


_LOADERS = (
    ('', load_from_safe_local),
    (('http://', 'https://'), load_from_safe_http),
    (('modelzoo://', 'torchvision://'), load_from_safe_torchvision),
    (('open-mmlab://', 'openmmlab://'), load_from_safe_openmmlab),
    ('mmcls://', load_from_safe_mmcls),
    # Regular expressions, as MMEngine registers them.
    ((r'(\S+\:)?s3://', r'(\S+\:)?petrel://'), load_from_safe_ceph),
    ('pavi://', load_from_safe_pavi),
)


def _name(filename: str) -> str:
    """What follows the scheme."""
    return filename.partition('://')[2]


def _look_up(filename: str, models: Mapping[str, str]) -> str:
    """Return the address of a model that a list has by name.

    Raises:
        CheckpointError: If the list has no such name; offers similar ones.
    """
    name = _name(filename)
    if name not in models:
        hint = did_you_mean(name, sorted(models)) or 'check the name.'
        raise CheckpointError(f'There is no model {filename}: {hint}')
    return models[name]


@contextmanager
def _explained(source: str, file: str | BinaryIO) -> Iterator[None]:
    """Turn what the reader raises into one sentence on the file."""
    try:
        yield
    except (OSError, MemoryError, CheckpointError):
        raise
    except Refusal as refusal:
        raise CheckpointError(
            f'{source} was refused: {refusal}; take another file.'
        ) from None
    except Exception as error:
        message = str(error)
        # The file is sound, its device is not here: torch says what to do.
        if isinstance(error, RuntimeError) and 'map_location' in message:
            raise
        refused = re.search(r'GLOBAL (\S+)', message)
        if refused:
            # Without torch's advice to load unsafely.
            raise CheckpointError(_refusal(source, refused[1])) from None
        raise CheckpointError(
            f'{source} cannot be read as a checkpoint (it starts with '
            f'{_head(file)!r}): it is damaged, incomplete or of another kind.'
        ) from error


@contextmanager
def _downloading(url: str, path: str) -> Iterator[None]:
    """Say in one sentence that there is no network, and what helps without one."""
    try:
        yield
    # A URL may be none at all.
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if type(error) is URLError else error
        raise CheckpointError(
            f'{url} cannot be downloaded ({reason}): check address and network, or '
            f'download the file elsewhere and put it at {path}.'
        ) from error


def _refusal(source: str, name: str) -> str:
    return (
        f'{source} was refused: it holds {one_line(name, 60)}, which is not among the '
        'plain types that a checkpoint may hold and could run code; if you trust its '
        'author, load it with torch.load(..., weights_only=False) in a separate '
        "session and save only its 'state_dict'."
    )


def _head(file: str | BinaryIO) -> bytes:
    """First bytes, by which a web page or a pointer file is known at a glance."""
    if isinstance(file, str):
        with open(file, 'rb') as opened:
            return opened.read(16)
    file.seek(0)
    return file.read(16)


def _size(file: str | BinaryIO) -> int:
    """Bytes of the file."""
    if isinstance(file, str):
        return os.path.getsize(file)
    place = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(place)
    return size
