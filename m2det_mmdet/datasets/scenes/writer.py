"""Scenes as folders of images with COCO annotations."""

import itertools
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...utils.errors import M2DetError
from .collections import COLLECTIONS, Collection
from .composer import Scene, SceneObject, compose_scene

SPLITS = ('train', 'val', 'test')
MIN_SIDE = 128  # pixels; in smaller images small composed objects lose their parts

_SETTINGS = 'scenes.json'
_JPEG_QUALITY = 92
_OURS = re.compile(
    r'scenes\.json|annotations(\.partial)?(/(train|val|test)\.json)?'
    r'|(train|val|test)(/\d{6,}\.jpg)?'
)
Progress = Callable[[int, int], None]


class ScenesError(M2DetError, ValueError):
    """Scenes cannot be written as asked for."""


def write_scenes(
    out: Path | str,
    *,
    num_train: int = 3000,
    num_val: int = 200,
    num_test: int = 200,
    size: tuple[int, int] = (320, 320),
    seed: int = 0,
    collection: str = 'figures',
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Write train, val and test splits of seeded scenes in COCO format.

    Images go to ``out/<split>/000001.jpg`` and so on, annotations to
    ``out/annotations/<split>.json`` with each category's grade of complexity as
    its ``supercategory``. Image ``i`` of a split depends only on ``seed``, the split,
    ``size`` and ``i``, not on the number of images. The same arguments give the same
    bytes with the same versions of numpy and OpenCV.

    The folder ``annotations`` appears last and complete: if it exists, all images
    exist.

    Args:
        out: Folder to fill; created if missing.
        num_train: Number of training images.
        num_val: Number of validation images.
        num_test: Number of test images.
        size: Width and height of the images, pixels.
        seed: Not negative.
        collection: ``'figures'``, ten classes in three grades, or ``'toys'``, four
            other classes.
        overwrite: Replace earlier scenes, also half-written ones. Other files are
            never touched.
        progress: Called after each image with the number of images done and the total.

    Raises:
        ScenesError: If a number of images, the size or the seed is out of range, the
            collection is unknown, or ``out`` holds other files, or scenes and
            ``overwrite`` is off.
    """
    counts = dict(zip(SPLITS, (num_train, num_val, num_test), strict=True))
    _check_arguments(counts, size, seed)
    classes = _find_collection(collection)
    out = Path(out)
    _make_room(out, overwrite=overwrite)
    _write_json(out / _SETTINGS, {'images': counts, 'seed': seed, 'size': size})
    partial = out / 'annotations.partial'
    partial.mkdir()
    tick = _ticker(progress, sum(counts.values()))
    for index, (split, count) in enumerate(counts.items()):
        rngs = (np.random.default_rng([seed, index, number]) for number in range(count))
        scenes = (compose_scene(rng, size, collection=classes) for rng in rngs)
        coco = _write_split(out / split, scenes, classes, tick)
        _write_json(partial / f'{split}.json', coco)
    partial.rename(out / 'annotations')


def _write_split(
    folder: Path,
    scenes: Iterable[Scene],
    collection: Collection,
    tick: Callable[[], None],
) -> dict[str, list]:
    """Write the images of a split and return its annotations in COCO's form."""
    folder.mkdir()
    images, annotations = [], []
    numbers = {name: index for index, name in enumerate(collection.drawings, start=1)}
    for image_id, scene in enumerate(scenes, start=1):
        name = f'{image_id:06d}.jpg'
        _write_jpeg(folder / name, scene.image)
        height, width = scene.image.shape[:2]
        images.append(
            {'id': image_id, 'file_name': name, 'width': width, 'height': height}
        )
        for item in scene.objects:
            # From 1 on: pycocotools takes an annotation id of 0 for "no match".
            annotations.append(
                _annotation(item, numbers, len(annotations) + 1, image_id)
            )
        tick()
    return {
        'images': images,
        'annotations': annotations,
        'categories': [
            {'id': index, 'name': name, 'supercategory': collection.grades[name]}
            for name, index in numbers.items()
        ],
    }


def _annotation(
    item: SceneObject, numbers: dict[str, int], annotation_id: int, image_id: int
) -> dict[str, Any]:
    return {
        'id': annotation_id,
        'image_id': image_id,
        'category_id': numbers[item.name],
        'bbox': list(item.box),
        'area': item.area,
        'iscrowd': 0,
    }


def _check_arguments(counts: dict[str, int], size: tuple[int, int], seed: int) -> None:
    for split, count in counts.items():
        if count < 1:
            raise ScenesError(
                f'num_{split} must be at least 1, got {count}. '
                'Each split needs an image.'
            )
    if min(size) < MIN_SIDE:
        raise ScenesError(
            f'size must be at least {MIN_SIDE} x {MIN_SIDE} pixels, got '
            f'{size[0]} x {size[1]}. Small objects are unrecognisable below.'
        )
    if seed < 0:
        raise ScenesError(f'seed must not be negative, got {seed}. Use 0 or above.')


def _find_collection(name: str) -> Collection:
    if name not in COLLECTIONS:
        raise ScenesError(
            f'collection must be one of {", ".join(COLLECTIONS)}, got {name!r}.'
        )
    return COLLECTIONS[name]


def _make_room(out: Path, *, overwrite: bool) -> None:
    """Make ``out`` an empty folder; remove only scenes written before."""
    if out.exists() and not out.is_dir():
        raise ScenesError(f'{out} is a file. Name a folder for the scenes.')
    out.mkdir(parents=True, exist_ok=True)
    present = sorted(out.rglob('*'))
    foreign = _foreign(out, present)
    if foreign is not None:
        raise ScenesError(
            f'{out} holds {foreign}, which is no scene of this generator. '
            'Name a new or empty folder.'
        )
    if present and not overwrite:
        raise ScenesError(
            f'{out} already holds scenes. Name another folder, or pass '
            'overwrite=True (--force) to replace them.'
        )
    _remove(out, present)


def _foreign(out: Path, present: list[Path]) -> str | None:
    """Return a path in ``out`` that this generator did not write, if there is one.

    Other COCO datasets have the same names. Therefore all files are foreign if the
    settings file is missing, which the generator writes first.
    """
    known = (out / _SETTINGS).is_file()
    for path in present:
        name = path.relative_to(out).as_posix()
        if not known or path.is_symlink() or not _OURS.fullmatch(name):
            return name
    return None


def _remove(out: Path, present: list[Path]) -> None:
    """Remove the files of an earlier run in an order that survives an interruption.

    Annotations sort first, so that no half-removed dataset looks complete. The settings
    go last: while they exist, the other files are known to be ours.
    """
    settings = out / _SETTINGS
    for path in present:
        if path.is_file() and path != settings:
            path.unlink()
    for path in present:
        if path.is_dir():
            path.rmdir()
    settings.unlink(missing_ok=True)


def _ticker(progress: Progress | None, total: int) -> Callable[[], None]:
    """Return a function that reports one more image done at each call."""
    done = itertools.count(1)
    if progress is None:
        return lambda: None
    return lambda: progress(next(done), total)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content) + '\n', encoding='utf-8')


def _write_jpeg(path: Path, image: np.ndarray) -> None:
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    _, data = cv2.imencode('.jpg', image, options)
    path.write_bytes(data.tobytes())
