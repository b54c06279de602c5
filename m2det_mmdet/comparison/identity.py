"""What data are by their content, wherever they lie."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config

from ..recipes.data import DataFiles, data_files, metric_files
from ..recipes.error import RecipeError

Digests = dict[str, str]


def data_identity(
    cfg: Config, known: dict[DataFiles, Digests]
) -> dict[str, list[Digests]]:
    """Return digests of the data that a config trains and tests on.

    Args:
        cfg: The config.
        known: Digests that were found before; new ones are added.

    Returns:
        By use: ``train``, ``test``, and ``evaluate`` where a metric reads annotations
        of its own; for each file of annotations a digest of the ``annotations``, and
        one of the names and sizes (in bytes) of the ``images`` that they list.

    Raises:
        RecipeError: If annotations cannot be read.
    """
    files = {key: data_files(cfg, key) for key in ('train', 'test')}
    tested = {found.annotations for found in files['test']}
    if own := [name for name in metric_files(cfg) if name not in tested]:
        files['evaluate'] = [DataFiles(name, None) for name in own]
    for found in {found for part in files.values() for found in part} - known.keys():
        known[found] = _digests(found)
    return {key: [known[found] for found in part] for key, part in files.items()}


def digest_of_file(name: str) -> str:
    """Return a digest of what is in a file.

    Raises:
        RecipeError: If it cannot be read.
    """
    return _digest(_content(name))


def _digests(files: DataFiles) -> Digests:
    content = _content(files.annotations)
    digests = {'annotations': _digest(content)}
    if files.image_dir is not None:
        folder = Path(files.image_dir)
        images = [(name, _size(folder / name)) for name in _image_names(content)]
        digests['images'] = _digest(repr(images).encode())
    return digests


def _image_names(annotations: bytes) -> Iterator[str]:
    """Yield the names of images in annotations of COCO's form; of others none."""
    try:
        images = json.loads(annotations)['images']
    except (ValueError, KeyError, TypeError):
        return
    for image in images:
        yield str(image.get('file_name'))


def _size(file: Path) -> int | None:
    """Size in bytes; ``None`` where there is no such file, which the run will say."""
    try:
        return file.stat().st_size
    except (OSError, ValueError):
        return None


def _content(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise RecipeError(
            f'{name} cannot be read ({error.strerror}): check the path, or give other '
            'data with --data.'
        ) from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
