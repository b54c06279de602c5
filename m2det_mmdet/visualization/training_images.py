"""A picture of training images as the network sees them."""

import random

import mmcv
import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.structures import InstanceData
from torch import Tensor
from torch.utils.data import Dataset

from .grids import arrange

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
    visualizer = DetLocalVisualizer(name='training images', line_width=2)
    visualizer.dataset_meta = {**dataset.metainfo, 'palette': 'random'}
    places = np.linspace(0, len(dataset) - 1, min(num_images, len(dataset)))
    states = random.getstate(), np.random.get_state()
    try:
        packed = [dataset[int(place)] for place in places]
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
    cells = [_cell(visualizer, item['inputs'], item['data_samples']) for item in packed]
    return arrange(cells, min(num_columns, len(cells)))


def _cell(
    visualizer: DetLocalVisualizer, inputs: Tensor, sample: DetDataSample
) -> np.ndarray:
    """Draw an image and its boxes on a black square, with a white gap beside it.

    Args:
        visualizer: Knows the names and colours of the classes.
        inputs: BGR, ``(3, H, W)``, before normalisation.
        sample: Has the boxes, xyxy, pixels of ``inputs``.
    """
    # Changes of light and contrast go beyond the range.
    image = inputs.permute(1, 2, 0).clamp(0, 255).to(torch.uint8).numpy()
    scale = _CELL / max(image.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    instances = sample.gt_instances
    boxes = getattr(instances.bboxes, 'tensor', instances.bboxes)
    shown = InstanceData(bboxes=boxes * scale, labels=instances.labels)
    picture = mmcv.bgr2rgb(mmcv.imresize(image, (width, height)))
    truth = DetDataSample(gt_instances=shown)
    visualizer.add_datasample('training', picture, truth, draw_pred=False)
    cell = np.full((_CELL + _GAP, _CELL + _GAP, 3), 255, np.uint8)
    cell[:_CELL, :_CELL] = 0
    cell[:height, :width] = mmcv.rgb2bgr(visualizer.get_image())
    return cell
