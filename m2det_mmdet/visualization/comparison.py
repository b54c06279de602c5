"""A grid of images with ground truth beside predictions."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO

from ..utils.images import image_problem, read_images
from .boxes import draw_boxes
from .grids import arrange, scaled
from .texts import paste, text_patch

_CELL = 480  # pixels: the longer side of each drawn image
_GAP = 8  # pixels: right of each image
_STRIP = 32  # pixels: height of a caption
_FONT_SIZE = 18  # pixels
_INK, _PAPER = (40, 40, 40), (255, 255, 255)


def draw_comparison(
    truth: COCO,
    results: COCO,
    image_dir: Path | str,
    *,
    num_images: int = 6,
    num_columns: int = 2,
    score_thr: float = 0.3,
) -> np.ndarray:
    """Draw ground truth (left) beside predictions (right) of several images.

    Args:
        truth: Annotations.
        results: Predictions, from ``truth.loadRes``.
        image_dir: Folder of the images that ``truth`` names.
        num_images: Number of images at the most, evenly spread over those with objects;
            over all where none has any.
        num_columns: Number of pairs in a row.
        score_thr: Lowest score to draw.

    Returns:
        The grid, BGR, ``(H, W, 3)``.

    Raises:
        ValueError: If there is no image in ``truth``, an image cannot be read, or an
            object has a category that ``truth`` lacks.
    """
    labels = {cat_id: label for label, cat_id in enumerate(truth.getCatIds())}
    classes = [truth.cats[cat_id]['name'] for cat_id in labels]
    ids = [id_ for id_ in truth.imgs if truth.imgToAnns.get(id_)] or list(truth.imgs)
    pairs = []
    for image_id in _spread(ids, num_images):
        file_name = truth.imgs[image_id]['file_name']
        image, scale = _read(Path(image_dir, file_name))
        halves = [
            _drawn(
                image, scale, found.imgToAnns.get(image_id, ()), labels, classes, lowest
            )
            for found, lowest in ((truth, None), (results, score_thr))
        ]
        pairs.append(_captioned(halves, file_name))
    return arrange(pairs, num_columns)


def _read(path: Path) -> tuple[np.ndarray, float]:
    """Read an image, BGR, in the size that is drawn, and tell its scale."""
    ((_, image),) = read_images([path])
    if image is None:
        raise ValueError(
            f'{path} {image_problem(path)}: restore it, or check the folder of the '
            'images.'
        )
    scale = _CELL / max(image.shape[:2])
    return scaled(image, scale), scale


def _spread(ids: Sequence[int], count: int) -> list[int]:
    """Choose ``count`` of ``ids``, first and last included."""
    if not ids:
        raise ValueError('it lists no image.')
    places = np.linspace(0, len(ids) - 1, min(count, len(ids)))
    return [ids[int(place)] for place in places]


def _drawn(
    image: np.ndarray,
    scale: float,
    annotations: Iterable[dict],
    labels: dict[int, int],
    classes: Sequence[str],
    score_thr: float | None = None,
) -> np.ndarray:
    """Draw annotations; or predictions from ``score_thr`` on, if it is given."""
    shown = [
        item
        for item in annotations
        if not item.get('iscrowd') and (score_thr is None or item['score'] >= score_thr)
    ]
    absent = {item['category_id'] for item in shown} - labels.keys()
    if absent:
        raise ValueError(
            f'its objects have the category {absent.pop()!r}, which is none of its '
            'categories.'
        )
    boxes = np.array([item['bbox'] for item in shown], np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return draw_boxes(
        image,
        boxes * scale,
        np.array([labels[item['category_id']] for item in shown], np.int64),
        classes,
        scores=None if score_thr is None else np.array([x['score'] for x in shown]),
    )


def _captioned(halves: Sequence[np.ndarray], file_name: str) -> np.ndarray:
    """Put two pictures on a cell of fixed size, with captions above them."""
    cell = np.full((_STRIP + _CELL, 2 * (_CELL + _GAP), 3), 255, np.uint8)
    captions = ((file_name, ': ground truth'), ('predictions', ''))
    for index, (half, (text, end)) in enumerate(zip(halves, captions, strict=True)):
        place = cell[:, index * (_CELL + _GAP) :][:, :_CELL]
        caption = text_patch(
            text, _FONT_SIZE, ink=_INK, paper=_PAPER, most=_CELL, end=end
        )
        paste(place, caption, 0, (_STRIP - len(caption)) // 2)
        place[_STRIP : _STRIP + half.shape[0], : half.shape[1]] = half
    return cell
