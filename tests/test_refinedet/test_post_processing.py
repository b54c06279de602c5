"""Decoding in two steps, filter, threshold and NMS equal those of the port."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from mmdet.models import BaseDetector
from torch import Tensor

NUM_PRIORS, NUM_CLASSES = 6375, 20
# Settings in place of those of the config, and what the port calls them. Its test has
# the 1000 best of each class before the NMS.
EVERYTHING = {'nms_pre': -1, 'max_per_img': -1}
MODES = {
    'released': {**EVERYTHING, 'nms_pre_per_class': 1000},
    'no_topk': EVERYTHING,
    'no_objectness_filter': {
        **EVERYTHING,
        'nms_pre_per_class': 1000,
        'objectness_thr': None,
    },
}
ToMaps = Callable[[np.ndarray], list[Tensor]]


def logits(probability: np.ndarray) -> np.ndarray:
    """Logarithms in float32, -80 for zero."""
    floor = np.full_like(probability, -80)
    return np.log(probability, where=probability > 0, out=floor).astype('f4')


def outputs(data: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Class scores, deltas, and those of the first head, as rows of anchors."""
    scores = np.zeros((1, NUM_PRIORS, NUM_CLASSES + 1))
    where = 0, data['score_prior'], data['score_class'].astype(int) - 1
    scores[where] = data['score_value']
    scores[..., -1] = 1 - scores.sum(axis=2)
    listed = data['anchor_idx']
    objectness = np.zeros((1, NUM_PRIORS, 2))
    objectness[0, listed, 0] = data['objectness']
    objectness[..., 1] = 1 - objectness[..., 0]
    deltas = {name: np.zeros((1, NUM_PRIORS, 4), 'f4') for name in ('arm', 'odm')}
    for name, rows in deltas.items():
        rows[0, listed] = data[f'{name}_loc']
    return [logits(scores), deltas['odm'], logits(objectness), deltas['arm']]


@pytest.fixture
def detect(
    build: Callable[[], BaseDetector],
    to_maps: ToMaps,
    reference: Callable[[str], dict[str, np.ndarray]],
) -> Callable[..., np.ndarray]:
    """Detections by other settings: class from 1, xyxy as fractions, score."""
    head, data = build().bbox_head, reference('post')
    width, height = int(data['width']), int(data['height'])
    meta = {
        'img_shape': (320, 320),
        'ori_shape': (height, width),
        'scale_factor': (320 / width, 320 / height),
    }

    def run(**settings: object) -> np.ndarray:
        cfg = {**head.test_cfg, **settings}
        (found,) = head.predict_by_feat(
            *map(to_maps, outputs(data)), batch_img_metas=[meta], cfg=cfg, rescale=True
        )
        assert (found.scores.diff() <= 0).all()
        boxes = found.bboxes / torch.tensor([width, height] * 2)
        rows = [found.labels[:, None] + 1.0, boxes, found.scores[:, None]]
        return torch.cat(rows, dim=1).numpy()

    return run


def check(found: np.ndarray, expected: np.ndarray) -> None:
    """Compare class by class, best first."""
    assert len(found) == len(expected) > 0
    found, expected = (x[np.lexsort((-x[:, 5], x[:, 0]))] for x in (found, expected))
    assert np.array_equal(found[:, 0], expected[:, 0])
    np.testing.assert_allclose(found[:, 1:], expected[:, 1:], rtol=0, atol=3e-6)


@pytest.mark.parametrize('mode', MODES)
def test_detections(
    mode: str,
    detect: Callable[..., np.ndarray],
    reference: Callable[[str], dict[str, np.ndarray]],
) -> None:
    check(detect(**MODES[mode]), reference('post')[f'dets_{mode}'])


def test_the_best_of_an_image_are_kept(
    detect: Callable[..., np.ndarray],
    reference: Callable[[str], dict[str, np.ndarray]],
) -> None:
    everything = reference('post')['dets_released']
    best = everything[np.argsort(-everything[:, 5])][:200]
    found = detect(nms_pre=-1, nms_pre_per_class=1000)
    check(found, best)


def test_the_best_of_an_image_reach_the_suppression(
    detect: Callable[..., np.ndarray],
    reference: Callable[[str], dict[str, np.ndarray]],
) -> None:
    data = reference('post')
    # The paper's rule: 400 scores of unfiltered anchors.
    open_anchors = set(data['anchor_idx'][data['objectness'] > 0.01])
    unfiltered = np.isin(data['score_prior'], list(open_anchors))
    threshold = np.sort(data['score_value'][unfiltered])[-400]
    everything = data['dets_no_topk']
    best = everything[everything[:, 5] >= threshold - 1e-6]

    check(detect(max_per_img=-1), best)
    check(detect(), best[np.argsort(-best[:, 5])][:200])
