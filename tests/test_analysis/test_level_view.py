import numpy as np
import pytest
import torch
from mmdet.structures.bbox import bbox_overlaps

from m2det_mmdet import Detector
from m2det_mmdet.analysis.level_view import LevelView
from m2det_mmdet.datasets.scenes import compose_scene
from m2det_mmdet.utils.configs import load_config

SCORE = 0.3


@pytest.fixture(scope='module')
def seen() -> tuple[Detector, np.ndarray, LevelView]:
    detector = Detector('m2det_r18_scenes', device='cpu')
    image = compose_scene(np.random.default_rng(3), (160, 128)).image
    pixels, given = detector.network_input(image)
    return (
        detector,
        pixels,
        LevelView(detector.inferencer.model, *given, detector.classes),
    )


def test_its_objects_are_those_of_the_detector(
    seen: tuple[Detector, np.ndarray, LevelView],
) -> None:
    detector, image, view = seen
    expected = detector(image, score_thr=SCORE)
    objects = view.objects(SCORE)

    assert len(objects) == len(expected) > 1
    for found, other in zip(objects, expected, strict=True):
        assert found.box == pytest.approx(other.box)
        assert (found.score, found.label) == pytest.approx((other.score, other.label))
        assert found.name == other.name


def test_the_sum_of_an_object_is_the_score_of_its_anchor(
    seen: tuple[Detector, np.ndarray, LevelView],
) -> None:
    _, _, view = seen
    for found in view.objects(SCORE):
        assert sum(found.levels) + found.constant == pytest.approx(
            found.logit, abs=1e-4
        )
        # Soft-NMS lowers scores, and raises none.
        assert found.anchors[0].score >= found.score - 1e-6
        against = torch.tensor(sum(found.evidence) + found.constant_evidence).sigmoid()
        # The class competes with nine others, too.
        assert found.anchors[0].score <= against + 1e-6


def test_an_anchor_lies_around_its_cell(
    seen: tuple[Detector, np.ndarray, LevelView],
) -> None:
    _, image, view = seen
    height, width = image.shape[:2]
    for found in view.objects(SCORE):
        for anchor in found.anchors:
            rows, columns = view.split.sizes[anchor.scale]
            x1, y1, x2, y2 = anchor.box
            assert (x1 + x2) / 2 / width * columns == pytest.approx(
                anchor.cell[1] + 0.5
            )
            assert (y1 + y2) / 2 / height * rows == pytest.approx(anchor.cell[0] + 0.5)
        assert found.scale == found.anchors[0].scale


def test_the_first_anchor_predicted_the_box(
    seen: tuple[Detector, np.ndarray, LevelView],
) -> None:
    _, _, view = seen
    for found in view.objects(SCORE):
        overlaps = bbox_overlaps(
            torch.tensor([found.box]), torch.tensor([found.anchors[0].box])
        )
        assert overlaps > 0.2


def test_heat_has_the_evidence_of_an_object_in_its_cell(
    seen: tuple[Detector, np.ndarray, LevelView],
) -> None:
    _, _, view = seen
    found = view.objects(SCORE)[0]
    maps = view.heat(found.label)
    row, column = found.anchors[0].cell

    assert [x.shape for x in maps] == [(2, *size) for size in view.split.sizes]
    assert maps[found.scale][:, row, column] == pytest.approx(found.evidence)


@pytest.mark.slow
def test_cells_lie_where_their_anchors_do_in_an_image_that_is_filled_up() -> None:
    cfg = load_config('m2det_r18_scenes')
    steps = cfg.test_dataloader.dataset.pipeline
    place = next(i for i, x in enumerate(steps) if x['type'].endswith('Resize'))
    steps[place : place + 1] = [
        {'type': 'Resize', 'scale': (192, 128), 'keep_ratio': True},
        # It tells that the image has the size of the whole.
        {'type': 'Pad', 'size': (256, 128)},
    ]
    detector = Detector(cfg, 'm2det_r18_scenes', device='cpu')
    image = compose_scene(np.random.default_rng(3), (192, 96)).image
    _, given = detector.network_input(image)
    view = LevelView(detector.inferencer.model, *given, detector.classes)

    assert given.images.shape[-2:] == (128, 256)
    assert view.covered == pytest.approx((96 / 128, 192 / 256))
    for found in view.objects(SCORE):
        x1, y1, x2, y2 = found.anchors[0].box
        rows, columns = view.split.sizes[found.scale]
        row, column = found.anchors[0].cell
        assert (x1 + x2) / 2 / 192 * view.covered[1] * columns == pytest.approx(
            column + 0.5
        )
        assert (y1 + y2) / 2 / 96 * view.covered[0] * rows == pytest.approx(row + 0.5)


@pytest.mark.slow
def test_objects_that_nothing_suppressed_come_by_their_scores() -> None:
    options = {'model.test_cfg.nms': None}
    detector = Detector('m2det_r18_scenes', device='cpu', options=options)
    image = compose_scene(np.random.default_rng(3), (128, 128)).image
    _, given = detector.network_input(image)
    view = LevelView(detector.inferencer.model, *given, detector.classes)
    scores = [x.score for x in view.objects(SCORE / 10)]

    assert len(scores) > 10
    assert scores == sorted(scores, reverse=True)
