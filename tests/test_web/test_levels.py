"""Pictures of levels."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from m2det_mmdet.utils.errors import M2DetError
from m2det_mmdet.web.levels import level_pictures
from m2det_mmdet.web.looking import Looker


def test_a_level_shines_where_its_map_is_high(
    looker: Looker, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    neck = looker.detector.inferencer.model.neck
    low = torch.zeros(1, 3, 2, 2)
    high = low.clone()
    high[..., 0, 1] = 9.0
    levels = [(low, low[..., :1, :1]), (high, high[..., :1, 1:])]
    monkeypatch.setattr(neck, 'forward_with_levels', lambda maps: (None, levels))
    image = np.zeros((60, 80, 3), np.uint8)

    rows = level_pictures(looker.detector, image)

    assert [[x.label for x in row] for row in rows] == [
        ['level 1, 2 × 2 cells', 'level 2, 2 × 2 cells'],
        ['level 1, 1 × 1 cells', 'level 2, 1 × 1 cells'],
    ]
    picture = rows[0][1].picture
    assert picture.shape == (165, 220, 3)
    ends = cv2.applyColorMap(np.uint8([[0, 255]]), cv2.COLORMAP_VIRIDIS)[0] * 0.6
    for (y, x), color in {
        (10, 10): ends[0],
        (10, 200): ends[1],
        (150, 200): ends[0],
    }.items():
        np.testing.assert_allclose(picture[y, x], color, atol=1)
    # A map without a difference has one colour.
    assert (rows[0][0].picture == rows[0][0].picture[0, 0]).all()


def test_shows_all_levels_and_scales(looker: Looker, pictures: list[Path]) -> None:
    neck = looker.detector.inferencer.model.neck

    rows = looker.look_into(looker.look(pictures[0]), pictures[0])

    assert [len(row) for row in rows] == [len(neck.tums)] * neck.num_scales
    assert len({x.picture.tobytes() for row in rows for x in row}) > neck.num_scales


def test_a_thin_picture_is_shown_small(looker: Looker) -> None:
    rows = level_pictures(looker.detector, np.zeros((5000, 2, 3), np.uint8))

    assert {x.picture.shape for row in rows for x in row} == {(220, 1, 3)}


def test_a_detector_without_levels_is_told(
    looker: Looker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looker.detector.inferencer, 'model', nn.Identity())

    with pytest.raises(M2DetError, match='has no MLFPN'):
        level_pictures(looker.detector, np.zeros((9, 9, 3), np.uint8))
