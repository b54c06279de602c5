import random

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch.utils.data import Dataset

from m2det_mmdet.visualization.training_images import draw_training_images

CELL, GAP = 320, 4
GRAY = 90


class _Images(Dataset):
    """Gray images of 40 x 80 pixels with a box from (20, 10) to (60, 30)."""

    metainfo = {'classes': ('cat',)}

    def __init__(self, count: int, level: float = GRAY) -> None:
        self.count = count
        self.level = level
        self.asked: list[int] = []

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict:
        self.asked.append(index)
        np.random.rand()
        random.random()
        truth = InstanceData(
            bboxes=torch.tensor([[20.0, 10.0, 60.0, 30.0]]), labels=torch.tensor([0])
        )
        return {
            'inputs': torch.full((3, 40, 80), self.level),
            'data_samples': DetDataSample(gt_instances=truth),
        }


def test_boxes_lie_where_they_are_in_the_input() -> None:
    """A scale of 4: the box is from (80, 40) to (240, 120)."""
    picture = draw_training_images(_Images(1))

    assert picture.shape == (CELL + GAP, CELL + GAP, 3)
    # The name of the class is drawn above the box.
    rows, columns = np.nonzero((picture[40:160, :CELL] != GRAY).any(axis=2))
    assert (columns.min(), columns.max()) == (80, 239)
    assert (rows.min(), rows.max()) == (0, 79)
    # Below the image the square is black.
    assert (picture[160:CELL, :CELL] == 0).all()


@pytest.mark.parametrize(
    ('level', 'shown'), [(90.0, 90), (90, 90), (300.0, 255), (-40.0, 0)]
)
def test_pixels_beyond_the_range_are_white_or_black(level: float, shown: int) -> None:
    picture = draw_training_images(_Images(1, level))

    # Left of the box.
    assert (picture[:160, :70] == shown).all()


def test_a_few_images_stand_for_all() -> None:
    images = _Images(100)
    states = random.getstate(), np.random.get_state()[1].copy()

    picture = draw_training_images(images, num_images=3, num_columns=2)

    assert images.asked == [0, 49, 99]
    assert picture.shape == (2 * (CELL + GAP), 2 * (CELL + GAP), 3)
    assert (picture[CELL + GAP :, CELL + GAP :] == 255).all()
    assert random.getstate() == states[0]
    assert (np.random.get_state()[1] == states[1]).all()
