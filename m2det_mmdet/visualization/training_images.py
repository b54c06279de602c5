"""A picture of training images as the network sees them."""

import random
from collections.abc import Sequence

import numpy as np
import torch
from mmdet.structures import DetDataSample
from torch import Tensor
from torch.utils.data import Dataset

from .boxes import draw_boxes
from .grids import arrange, scaled

_CELL = 320  # pixels: the longer side of each image
_GAP = 4  # pixels between images


def draw_training_images(
    dataset: Dataset, *, num_images: int = 16, num_columns: int = 4
) -> np.ndarray:
    """Draw images after augmentation, with the boxes that the network learns from.

    The random numbers of the program stay as they are.

    Args:
        dataset: A data set of mmdet whose pipeline packs its results.
        num_images: Number of images at the most, evenly spread.
        num_columns: Number of images in a row.

    Returns:
        The grid, BGR, ``(H, W, 3)``.
    """
    places = np.linspace(0, len(dataset) - 1, min(num_images, len(dataset)))
    states = random.getstate(), np.random.get_state()
    try:
        packed = [dataset[int(place)] for place in places]
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
    classes = dataset.metainfo['classes']
    cells = [_cell(item['inputs'], item['data_samples'], classes) for item in packed]
    return arrange(cells, min(num_columns, len(cells)))


def _cell(inputs: Tensor, sample: DetDataSample, classes: Sequence[str]) -> np.ndarray:
    """Draw an image and its boxes on a black square, with a white gap beside it.

    Args:
        inputs: BGR, ``(3, H, W)``, before normalisation.
        sample: Has the boxes, xyxy, pixels of ``inputs``.
        classes: Names of the classes.
    """
    # Changes of light and contrast go beyond the range.
    image = inputs.permute(1, 2, 0).clamp(0, 255).to(torch.uint8).numpy()
    scale = _CELL / max(image.shape[:2])
    instances = sample.gt_instances
    boxes = getattr(instances.bboxes, 'tensor', instances.bboxes)
    picture = draw_boxes(
        scaled(image, scale), boxes.numpy() * scale, instances.labels.numpy(), classes
    )
    height, width = picture.shape[:2]
    cell = np.full((_CELL + _GAP, _CELL + _GAP, 3), 255, np.uint8)
    cell[:_CELL, :_CELL] = 0
    cell[:height, :width] = picture
    return cell
