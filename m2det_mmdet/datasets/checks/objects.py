"""The objects of a split as arrays, and reports of many of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...utils.texts import one_line
from ..faults import Faults, Kind
from ..layouts.folder import Part


@dataclass(frozen=True)
class Objects:
    """The ``N`` objects of a split, in the order of its annotations.

    Attributes:
        split: Name of the split.
        part: The split.
        boxes: ``(N, 4)``, xywh, pixels of the image.
        sizes: ``(N, 2)``, width and height of the image, pixels.
        images: ``(N,)``, ids of the images.
        labels: ``(N,)``, ids of the categories.
        crowds: ``(N,)``, whether an object is a crowd.
        files: The file of each image, or of its labels, by the id of the image.
        classes: The name of each category by its id.
    """

    split: str
    part: Part
    boxes: np.ndarray
    sizes: np.ndarray
    images: np.ndarray
    labels: np.ndarray
    crowds: np.ndarray
    files: dict[int, str | Path]
    classes: dict[int, str]

    def describe(self, index: int) -> str:
        """Name an object: its class, its box and its file."""
        annotation = self.part.content['annotations'][index]
        name = one_line(self.classes[annotation['category_id']])
        box = ', '.join(f'{value:.6g}' for value in annotation['bbox'])
        return (
            f'The {name} [{box}] of {self.files[annotation["image_id"]]} ({self.split})'
        )


def objects_of(split: str, part: Part) -> Objects:
    """Gather the objects of a split."""
    annotations = part.content['annotations']
    sizes = {x['id']: (x['width'], x['height']) for x in part.content['images']}
    return Objects(
        split,
        part,
        _array([x['bbox'] for x in annotations], 4),
        _array([sizes[x['image_id']] for x in annotations], 2),
        np.array([x['image_id'] for x in annotations], np.int64),
        np.array([x['category_id'] for x in annotations], np.int64),
        np.array([x.get('iscrowd', 0) for x in annotations], bool),
        {x['id']: x['file_name'] for x in part.content['images']} | part.sources,
        {x['id']: x['name'] for x in part.content['categories']},
    )


def report_each(
    faults: Faults,
    kind: Kind,
    found: Sequence[int] | np.ndarray,
    sentence: Callable[[int], str],
) -> None:
    """Report faults of which there may be many; write sentences for the first alone.

    Args:
        faults: Gets them.
        kind: Their kind.
        found: What has the fault, as indices.
        sentence: Writes the example on one of them.
    """
    for index in found[: faults.shown]:
        faults.report(kind, sentence(int(index)))
    rest = found[faults.shown :]
    if len(rest):
        faults.report(kind, sentence(int(rest[0])), len(rest))


def _array(rows: list[Sequence[float]], columns: int) -> np.ndarray:
    return np.array(rows, np.float64).reshape(-1, columns)
