"""Objects of a data set as a detector gets them: in pixels of its input."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mmcv
import numpy as np
from mmengine.config import Config

from ...datasets.layouts.folder import DataFolder
from ...utils.configs import describe
from ...utils.errors import M2DetError
from ...utils.pipelines import resize_of, scale_of

# Width and height, pixels.
Sides = tuple[int, int]


@dataclass(frozen=True)
class Objects:
    """Objects to learn, and the images that they are in.

    Attributes:
        centres: ``(N, 2)``, x and y, input pixels.
        sides: ``(N, 2)``, width and height, input pixels.
        areas: ``(N,)``, pixels of the original image, as COCO's metric groups objects.
        classes: ``(N,)``, ids of their categories.
        image: ``(N,)``, the index in ``images`` of each object's image.
        images: ``(S, 2)``, widths and heights of resized images, each once.
        ids: ``(N,)``, ids of their annotations.
    """

    centres: np.ndarray
    sides: np.ndarray
    areas: np.ndarray
    classes: np.ndarray
    image: np.ndarray
    images: np.ndarray
    ids: np.ndarray

    def __len__(self) -> int:
        return len(self.sides)

    def take(self, index: np.ndarray) -> 'Objects':
        """Return some of the objects.

        Args:
            index: Indices of objects, or a flag for each.
        """
        parts = (self.centres, self.sides, self.areas, self.classes, self.image)
        taken = (part[index] for part in parts)
        return Objects(*taken, images=self.images, ids=self.ids[index])


def objects_of(cfg: Config, folder: DataFolder, split: str = 'train') -> Objects:
    """Read the objects of a split as the test pipeline of a config resizes them.

    Crowds, objects that an annotation tells to ignore, and boxes of less than a pixel
    are left out, as mmdet's data sets do.

    Raises:
        M2DetError: If the test pipeline has no ``Resize`` of a fixed scale.
    """
    step = _resize_step(cfg)
    content = folder.parts[split].content
    known = {item['id']: (item['width'], item['height']) for item in content['images']}
    found = [x for x in content['annotations'] if x['image_id'] in known]
    found = [x for x in found if _is_learned(x)]
    before = [known[x['image_id']] for x in found]
    resized = {size: _resized(size, step) for size in set(before)}
    images = sorted(set(resized.values()))
    position = {size: index for index, size in enumerate(images)}
    image = np.array([position[resized[size]] for size in before], dtype=int)
    after = _array(images)[image]
    boxes, factors = _array([x['bbox'] for x in found], 4), after / _array(before)
    low, high = boxes[:, :2] * factors, (boxes[:, :2] + boxes[:, 2:]) * factors
    if step.get('clip_object_border', True):
        low, high = (corner.clip(0, after) for corner in (low, high))
    areas = [x.get('area') or x['bbox'][2] * x['bbox'][3] for x in found]
    objects = Objects(
        centres=(low + high) / 2,
        sides=high - low,
        areas=np.array(areas, dtype=float),
        classes=np.array([x['category_id'] for x in found], dtype=int),
        image=image,
        images=_array(images),
        ids=np.array([x['id'] for x in found]),
    )
    return objects.take((high > low).all(axis=1))


def _array(rows: Sequence[Sequence[float]], columns: int = 2) -> np.ndarray:
    """Return rows as an array, also where there are none."""
    return np.array(rows, dtype=float).reshape(-1, columns)


def _is_learned(item: dict[str, Any]) -> bool:
    _, _, width, height = item['bbox']
    ignored = item.get('iscrowd') or item.get('ignore')
    return not ignored and min(width, height) >= 1


def _resize_step(cfg: Config) -> dict[str, Any]:
    """Return the settings of the test pipeline's ``Resize``."""
    step = resize_of(cfg)
    if step is None:
        raise M2DetError(
            f'The test pipeline of {describe(cfg)} has no Resize with a scale, so that '
            'the size of objects in its input is unknown: add one.'
        )
    return step


def _resized(size: Sides, step: dict[str, Any]) -> Sides:
    """Width and height of an image after ``Resize``."""
    scale = scale_of(step)
    return mmcv.rescale_size(size, scale) if step.get('keep_ratio') else scale
