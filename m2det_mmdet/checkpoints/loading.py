"""Checkpoints that load safely, on both lines of MMEngine.

Most checkpoints are pickles, and a pickle can run any command. MMEngine 0.10.7 leaves
the choice to torch, whose restricted reader then refuses the very checkpoints that
MMEngine writes; the onedl line falls back to the unrestricted reader; downloads use
that one on both lines. Here every scheme of ``CheckpointLoader`` reads with
``weights_only=True`` and a list of the plain types that MMEngine stores beside the
weights; then the parts are checked, and texts of configs, which MMEngine would run, are
taken out. Files of safetensors, which hold no code, go through the same checks.
"""

import io
import os
import re
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import torch
from mmengine.fileio import get_file_backend
from mmengine.runner import CheckpointLoader

from ..utils.texts import one_line
from .archives import check_archive
from .contents import clean
from .errors import CheckpointError, Refusal
from .parts import check_parts
from .pickles import check_pickle
from .safe_types import safe_globals
from .safetensors_files import MapLocation, is_safetensors, read_safetensors
from .sources import (
    Found,
    find_in_zoo,
    find_of_mmcls,
    find_of_openmmlab,
    find_of_torchvision,
    find_on_disk,
    find_on_web,
)
from .zoo import SCHEME


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
        map_location: As for :func:`torch.load`; a function is not asked about a
            ``.safetensors`` file, whose tensors are those of the CPU.
        source: What errors call the file; its path by default.

    Returns:
        A mapping of names. Texts of configs are left out of it: in ``meta``, as
        ``cfg`` and ``config``, and in the message hub, as ``cfg``.

    Raises:
        CheckpointError: If the file is damaged, is no checkpoint, names a type or
            function that a checkpoint may not hold, or has parts that none can have.
    """
    return load_with_config(file, map_location, source=source)[0]


def load_with_config(
    file: str | BinaryIO, map_location: MapLocation = None, *, source: str | None = None
) -> tuple[Any, str | None]:
    """Load as :func:`load_safely`, and return the text of the config, too.

    The text is for :func:`.embedded_config`, and must never be run.
    """
    with _explained(source or str(file), file):
        size = _size(file)
        if is_safetensors(file):
            checkpoint = read_safetensors(file, map_location)
        else:
            checkpoint = _unpickle(file, size, map_location)
        checkpoint = clean(checkpoint, size)
        text = check_parts(checkpoint)
    return checkpoint, text


def load_from_safe_local(filename: str, map_location: MapLocation = None) -> Any:
    """Load from a path, or weights of the zoo by their name.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: As :func:`load_safely`.
    """
    return _load(find_on_disk(filename), map_location)


def load_from_safe_http(
    filename: str,
    map_location: MapLocation = None,
    model_dir: str | None = None,
    progress: bool = os.isatty(0),
) -> Any:
    """Load from a URL by way of torch's cache.

    Raises:
        CheckpointError: If it cannot be downloaded; names the place for a copy made by
            hand. Otherwise as :func:`load_safely`.
    """
    return _load(find_on_web(filename, model_dir, progress=progress), map_location)


def load_from_safe_zoo(filename: str, map_location: MapLocation = None) -> Any:
    """Load weights of the zoo by name, ``m2det://m2det_r18_scenes``."""
    return _load(find_in_zoo(filename), map_location)


def load_from_safe_torchvision(filename: str, map_location: MapLocation = None) -> Any:
    """Load a model of torchvision by name, ``torchvision://resnet50``."""
    return _load(find_of_torchvision(filename), map_location)


def load_from_safe_openmmlab(filename: str, map_location: MapLocation = None) -> Any:
    """Load a model of OpenMMLab by name, ``open-mmlab://detectron/resnet50_caffe``."""
    return _load(find_of_openmmlab(filename), map_location)


def load_from_safe_mmcls(filename: str, map_location: MapLocation = None) -> dict:
    """Load the backbone of a classifier of OpenMMLab by name, ``mmcls://vgg16``."""
    checkpoint = _load(find_of_mmcls(filename), map_location)
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

    model = modelcloud.get(filename.partition('://')[2])
    with TemporaryDirectory() as folder:
        path = os.path.join(folder, model.name)
        model.download(path)
        return load_safely(path, map_location, source=filename)


_LOADERS = (
    ('', load_from_safe_local),
    (('http://', 'https://'), load_from_safe_http),
    (SCHEME, load_from_safe_zoo),
    (('modelzoo://', 'torchvision://'), load_from_safe_torchvision),
    (('open-mmlab://', 'openmmlab://'), load_from_safe_openmmlab),
    ('mmcls://', load_from_safe_mmcls),
    # Regular expressions, as MMEngine registers them.
    ((r'(\S+\:)?s3://', r'(\S+\:)?petrel://'), load_from_safe_ceph),
    ('pavi://', load_from_safe_pavi),
)


def _unpickle(file: str | BinaryIO, size: int, map_location: MapLocation) -> Any:
    """Read a file in one of torch's own formats."""
    with safe_globals():
        check_archive(file, size)
        check_pickle(file)
        return torch.load(file, map_location=map_location, weights_only=True)


def _load(found: Found, map_location: MapLocation) -> Any:
    return load_safely(found.path, map_location, source=found.source)


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
