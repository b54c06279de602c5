"""A grid of images with ground truth beside predictions."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import mmcv
import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.structures import InstanceData
from pycocotools.coco import COCO

from ..utils.images import image_problem, read_images
from .grids import arrange

_CELL = 480  # pixels: the longer side of each drawn image
_GAP = 8  # pixels: right of each image
_STRIP = 32  # pixels: height of a caption
_INK = (40, 40, 40)


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
    visualizer = DetLocalVisualizer(name='comparison', line_width=2)
    visualizer.dataset_meta = {'classes': classes, 'palette': 'random'}
    ids = [id_ for id_ in truth.imgs if truth.imgToAnns.get(id_)] or list(truth.imgs)
    pairs = []
    for image_id in _spread(ids, num_images):
        file_name = truth.imgs[image_id]['file_name']
        image, scale = _read(Path(image_dir, file_name))
        found = (x.imgToAnns.get(image_id, ()) for x in (truth, results))
        gt_instances, pred_instances = (
            _instances(annotations, labels, scale, image.shape) for annotations in found
        )
        sample = DetDataSample(gt_instances=gt_instances, pred_instances=pred_instances)
        visualizer.add_datasample(file_name, image, sample, pred_score_thr=score_thr)
        pairs.append(_captioned(mmcv.rgb2bgr(visualizer.get_image()), file_name))
    return arrange(pairs, num_columns)


def _read(path: Path) -> tuple[np.ndarray, float]:
    """Read an image, RGB, in the size that is drawn, and tell its scale."""
    ((_, image),) = read_images([path])
    if image is None:
        raise ValueError(
            f'{path} {image_problem(path)}: restore it, or check the folder of the '
            'images.'
        )
    scale = _CELL / max(image.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    return mmcv.bgr2rgb(mmcv.imresize(image, (width, height))), scale


def _spread(ids: Sequence[int], count: int) -> list[int]:
    """Choose ``count`` of ``ids``, first and last included."""
    if not ids:
        raise ValueError('it lists no image.')
    places = np.linspace(0, len(ids) - 1, min(count, len(ids)))
    return [ids[int(place)] for place in places]


def _instances(
    annotations: Iterable[dict],
    labels: dict[int, int],
    scale: float,
    shape: tuple[int, ...],
) -> InstanceData:
    """Boxes (xyxy, pixels of the drawn image) of annotations or predictions."""
    annotations = [item for item in annotations if not item.get('iscrowd')]
    boxes = torch.tensor([item['bbox'] for item in annotations]).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    height, width = shape[:2]
    boxes = (boxes * scale).clamp(max=torch.tensor([width, height] * 2)).clamp(min=0)
    absent = {item['category_id'] for item in annotations} - labels.keys()
    if absent:
        raise ValueError(
            f'its objects have the category {absent.pop()!r}, which is none of its '
            'categories.'
        )
    names = [labels[item['category_id']] for item in annotations]
    instances = InstanceData(bboxes=boxes, labels=torch.tensor(names, dtype=torch.long))
    if all('score' in item for item in annotations):
        instances.scores = torch.tensor([item['score'] for item in annotations])
    return instances


def _captioned(pair: np.ndarray, file_name: str) -> np.ndarray:
    """Put a pair on a cell of fixed size, with captions above its halves."""
    cell = np.full((_STRIP + _CELL, 2 * (_CELL + _GAP), 3), 255, np.uint8)
    height, width = pair.shape[0], pair.shape[1] // 2
    for index, caption in enumerate((f'{file_name}: ground truth', 'predictions')):
        left = index * (_CELL + _GAP)
        half = pair[:, index * width : (index + 1) * width]
        cell[_STRIP : _STRIP + height, left : left + width] = half
        place = (left + 6, _STRIP - 10)
        cv2.putText(
            cell, caption, place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, _INK, 1, cv2.LINE_AA
        )
    return cell
