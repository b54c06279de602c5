from collections.abc import Callable

import numpy as np
import pytest
from mmengine.config import Config

from m2det_mmdet.analysis.anchors import fit_of, grids, improve, improvement
from m2det_mmdet.analysis.anchors.reach import Reach
from m2det_mmdet.utils.configs import load_config

SCENES = 'm2det_r18_scenes'
SSD = 'mmdet::ssd/ssd300_coco.py'


@pytest.fixture(autouse=True)
def known_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the sizes of maps from strides, which is quicker than from networks."""

    def sizes(cfg: Config, images: np.ndarray) -> list[np.ndarray]:
        head = cfg.model.get('bbox_head') or cfg.model.rpn_head
        generator = head.anchor_generator
        strides = generator.get('strides') or generator.get('steps') or (8, 16, 32, 64)
        return [np.ceil(images / stride) for stride in strides]

    monkeypatch.setattr(grids, '_map_sizes', sizes)


def _boxes(count: int, low: float, high: float, seed: int = 0) -> np.ndarray:
    """Boxes of ``low`` to ``high`` pixels in an image of 400x400, twice as wide."""
    random = np.random.default_rng(seed)
    height = random.uniform(low, high, count)
    sides = np.stack([2 * height, height], axis=1)
    corners = random.uniform(0, 1, (count, 2)) * (400 - sides)
    return np.concatenate([corners, sides], axis=1)


@pytest.mark.parametrize(
    ('name', 'keys'),
    [
        (SCENES, {'sizes'}),
        ('refinedet_r18_bccd', {'scale', 'ratios'}),
        (SSD, {'min_sizes', 'max_sizes', 'ratios'}),
        ('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', {'octave_base_scale'}),
        ('mmdet::rpn/rpn_r50_fpn_1x_coco.py', {'scales', 'ratios'}),
    ],
)
def test_each_form_gets_anchors_that_fit_better(
    name: str, keys: set[str], folder_of: Callable
) -> None:
    cfg, folder = load_config(name), folder_of({(400, 400): _boxes(80, 6, 25)})

    found = improve(cfg, folder)

    assert keys <= found.settings.keys()
    iou_thr = found.before.iou_thr
    assert found.after.recall(iou_thr) > found.before.recall(iou_thr) + 0.03
    assert found.after.recall() >= found.before.recall()
    # The settings give what the figures are of.
    for key, value in found.settings.items():
        cfg.merge_from_dict({f'model.{found.head}.anchor_generator.{key}': value})
    again = fit_of(cfg, folder)
    np.testing.assert_array_equal(again.best_ious, found.after.best_ious)
    assert again.shapes == found.after.shapes
    assert [*map(len, again.shapes)] == [*map(len, found.before.shapes)]


def test_the_same_seed_gives_the_same_of_many_objects(
    folder_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(improvement, '_SAMPLES', (20, 40))
    cfg, folder = load_config(SCENES), folder_of({(400, 400): _boxes(80, 6, 25)})

    one, other = (improve(cfg, folder, seed=3) for _ in range(2))

    assert one.settings == other.settings
    # Figures are those of all objects.
    assert len(one.after.best_ious) == 80


def test_anchors_that_cannot_be_better_are_kept(folder_of: Callable) -> None:
    # Each is an anchor of the config.
    boxes = [(5.6, 5.6, 12.8, 12.8), (-4.8, -4.8, 25.6, 25.6), (-9.6, -9.6, 51.2, 51.2)]
    cfg = load_config(
        SCENES, {'test_dataloader.dataset.pipeline.1.clip_object_border': False}
    )

    found = improve(cfg, folder_of({(128, 128): boxes}))

    assert found.before.mean_iou == pytest.approx(1, abs=1e-6)
    assert found.settings == {}
    assert found.after is found.before


def _one_anchor(pixels: int) -> Config:
    """A detector with one square anchor in each cell of 8x8 pixels."""
    generator = {
        'strides': [8],
        'ratios': [1.0],
        'octave_base_scale': pixels / 8,
        'scales_per_octave': 1,
    }
    prefix = 'model.bbox_head.anchor_generator'
    options = {f'{prefix}.{key}': value for key, value in generator.items()}
    return load_config('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', options)


# Eight objects of a class have 128 pixels a side and two have 400, the one of another
# class has 52: no anchor reaches two of these sizes.
SQUARES = [
    *((64 * k, 64, 128, 128) for k in range(1, 9)),
    (8, 8, 400, 400),
    (600, 200, 400, 400),
    (640, 640, 52, 52),
]
CLASSES = [1] * 10 + [2]


def test_each_class_weighs_the_same(folder_of: Callable) -> None:
    folder = folder_of({(1333, 800): SQUARES}, classes=CLASSES)

    found = improve(_one_anchor(32), folder)

    # One of one, rather than eight of ten.
    assert found.after.reached().tolist() == [False] * 10 + [True]
    assert found.after.class_recall() == 0.5


def test_what_was_reached_is_not_given_up_for_a_class(folder_of: Callable) -> None:
    folder = folder_of({(1333, 800): SQUARES}, classes=CLASSES)

    found = improve(_one_anchor(140), folder)

    assert found.after.reached().tolist() == [True] * 8 + [False] * 3
    assert found.after.mean_iou > found.before.mean_iou


def test_what_helps_a_part_but_not_all_is_refused(
    folder_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def last_object(reach: Reach, seed: int, most: int) -> Reach:
        return Reach(reach.objects.take(np.array([10])), reach.grids)

    monkeypatch.setattr(improvement, '_sampled', last_object)
    folder = folder_of({(1333, 800): SQUARES}, classes=CLASSES)

    found = improve(_one_anchor(140), folder)

    assert found.settings == {}
    assert found.after.reached().tolist() == [True] * 8 + [False] * 3
