from collections.abc import Callable

import numpy as np
import pytest
import torch
from mmdet.models.task_modules.prior_generators import anchor_inside_flags
from mmdet.structures.bbox import bbox_overlaps
from mmengine.config import Config
from torch import Tensor

from m2det_mmdet.analysis.anchors.fit import reach_of
from m2det_mmdet.analysis.anchors.forms import shapes_of
from m2det_mmdet.analysis.anchors.grids import Grid
from m2det_mmdet.analysis.anchors.heads import find_head
from m2det_mmdet.analysis.anchors.objects import Objects
from m2det_mmdet.analysis.anchors.reach import Reach
from m2det_mmdet.analysis.structure import structure_of
from m2det_mmdet.models.task_modules.priors import grid_priors
from m2det_mmdet.utils.configs import load_config

KEEP_RATIO = 'test_dataloader.dataset.pipeline.1.keep_ratio'
DIVISOR = 'model.data_preprocessor.pad_size_divisor'
CLIP = 'model.bbox_head.anchor_generator.clip'
SIZES = [(640, 480), (400, 700)]


def _random_boxes(count: int, width: int, height: int) -> np.ndarray:
    """Boxes xywh within an image, of all sizes and many shapes."""
    random = np.random.default_rng(width)
    sides = (np.exp(random.uniform(1.5, 6.5, (count, 2)))).clip(
        2, np.array([width, height]) - 1
    )
    corners = random.uniform(0, 1, (count, 2)) * ((width, height) - sides)
    return np.concatenate([corners, sides], axis=1)


def _brute_force(cfg: Config, reach: Reach) -> np.ndarray:
    """Best IoU of each object over all anchors of the network, one by one."""
    head, model = find_head(cfg), structure_of(cfg).eval()
    divisor = cfg.model.data_preprocessor.get('pad_size_divisor', 1)
    best = np.zeros(len(reach.objects))
    for index, (width, height) in enumerate(reach.objects.images.astype(int)):
        padded = tuple(-(-side // divisor) * divisor for side in (height, width))
        with torch.no_grad():
            maps = model.extract_feat(torch.empty(1, 3, *padded, device='meta'))
        maps = maps if isinstance(maps[0], Tensor) else maps[0]
        cells = [tuple(x.shape[-2:]) for x in maps]
        anchors = torch.cat(
            grid_priors(head.generator, cells, padded, torch.float32, 'cpu')
        )
        valid = torch.ones(len(anchors), dtype=torch.bool)
        inside = anchor_inside_flags(anchors, valid, (height, width), head.border)
        chosen = reach.objects.image == index
        centres, half = reach.objects.centres[chosen], reach.objects.sides[chosen] / 2
        boxes = np.concatenate([centres - half, centres + half], axis=1)
        overlaps = bbox_overlaps(torch.tensor(boxes).float(), anchors[inside])
        best[chosen] = overlaps.max(dim=1).values
    return best


@pytest.mark.parametrize(
    ('name', 'options'),
    [
        ('m2det_r18_scenes', {}),
        ('m2det_r18_scenes', {KEEP_RATIO: True, DIVISOR: 32}),
        ('m2det_vgg_320', {}),
        ('m2det_vgg_512_release', {}),
        ('refinedet_r18_bccd', {}),
        ('ssd_vgg_300', {CLIP: True}),
        ('mmdet::ssd/ssd300_coco.py', {}),
        ('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', {}),
        ('mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py', {}),
    ],
)
def test_the_best_iou_is_that_of_a_search_through_all_anchors(
    name: str, options: dict, folder_of: Callable
) -> None:
    folder = folder_of({size: _random_boxes(60, *size) for size in SIZES})
    cfg = load_config(name, options)
    head = find_head(cfg)
    reach = reach_of(cfg, head, folder)

    found = reach.best(shapes_of(head.generator))

    assert found.shape == (120,)
    np.testing.assert_allclose(found, _brute_force(cfg, reach), atol=2e-5)


def _objects(*boxes: tuple[float, float, float, float]) -> Objects:
    """Objects of boxes cxcywh in an image of 40x40 pixels."""
    rows = np.array(boxes, dtype=float)
    zeros = np.zeros(len(rows), dtype=int)
    return Objects(
        rows[:, :2],
        rows[:, 2:],
        rows[:, 2:].prod(axis=1),
        zeros,
        zeros,
        np.array([[40.0, 40.0]]),
        zeros,
    )


def _grid(limit: float = np.inf, border: float = np.inf) -> Grid:
    """Centres at 5, 15, 25 and 35 on both axes."""

    def both(value: float) -> np.ndarray:
        return np.array([[value, value]], dtype=float)

    return Grid(both(5), both(10), both(4), both(limit), both(border), 0)


@pytest.mark.parametrize(
    ('box', 'iou'),
    [
        ((15, 15, 10, 10), 1.0),
        # The nearest centres are 15 and 25: 5 x 10 of 100 + 100 pixels are shared.
        ((20, 15, 10, 10), 50 / 150),
        # Inside the anchor at (15, 15).
        ((16, 14, 4, 5), 20 / 100),
        # Beyond the last centre: 3 x 10 are shared with the anchor at (35, 15).
        ((42, 15, 10, 10), 30 / 170),
        ((60, 15, 10, 10), 0.0),
    ],
)
def test_the_nearest_anchor_counts(
    box: tuple[float, float, float, float], iou: float
) -> None:
    found = Reach(_objects(box), [_grid()]).best([[(10, 10)]])

    assert found.tolist() == [pytest.approx(iou)]


def test_the_best_of_all_shapes_and_scales_counts() -> None:
    reach = Reach(_objects((15, 15, 10, 20), (15, 15, 30, 30)), [_grid(), _grid()])

    found = reach.best([[(10, 10), (10, 20)], [(20, 30)]])

    # 200 of 200, and 600 of 900 pixels.
    assert found.tolist() == pytest.approx([1.0, 2 / 3])


def test_anchors_are_clipped_as_centres_and_sides_are() -> None:
    reach = Reach(_objects((25, 25, 40, 40)), [_grid(limit=40)])

    # An anchor of 80 pixels is one of 40.
    assert reach.best([[(80, 80)]]).tolist() == [pytest.approx(1.0)]


def test_anchors_across_the_border_are_left_out_of_training() -> None:
    objects = _objects((5, 5, 16, 16), (15, 15, 16, 16))

    allowed = Reach(objects, [_grid()]).best([[(16, 16)]])
    inside = Reach(objects, [_grid(border=40)]).best([[(16, 16)]])

    assert allowed.tolist() == pytest.approx([1, 1])
    # The nearest that lies inside is at (15, 15): 6 x 6 of 256 + 256 pixels.
    assert inside.tolist() == pytest.approx([36 / 476, 1])


def test_the_far_border_is_outside_as_in_mmdet() -> None:
    objects = _objects((7, 15, 10, 10), (33, 15, 10, 10))

    found = Reach(objects, [_grid(border=40)]).best([[(10, 10)]])

    # From 0 to 10 an anchor is inside, from 30 to 40 it is not: 2 x 10 pixels are
    # shared with the one at (25, 15).
    assert found.tolist() == pytest.approx([80 / 120, 20 / 180])


def test_anchors_that_fit_nowhere_reach_nothing() -> None:
    reach = Reach(_objects((20, 20, 40, 40)), [_grid(border=40)])

    assert reach.best([[(60, 60)]]).tolist() == [0]
