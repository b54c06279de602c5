"""Decoding, threshold and Soft-NMS equal those of the released code."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from m2det_mmdet.models.dense_heads import M2DetHead
from m2det_mmdet.ops import batched_soft_nms

SIZE, NUM_PRIORS = 320, 12810
Reference = Callable[[str], dict[str, np.ndarray]]
# Settings in place of those of the release config.
MODES = {
    'released': {},
    'thr0.1_nt0.45': {'nms.iou_threshold': 0.45},
    'thr0.01_nt0.5_top100': {
        'score_thr': 0.01,
        'nms.iou_threshold': 0.5,
        'max_per_img': 100,
    },
}


def outputs(data: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Class scores with background last, ``(1, P, 81)``, and regressions."""
    probability = np.zeros((1, NUM_PRIORS, 81))
    prior, label = data['score_prior'], data['score_class']
    probability[0, prior, label - 1] = data['score_value']
    probability[..., 80] = 1 - probability.sum(axis=2)
    logits = np.log(
        probability, where=probability > 0, out=np.full_like(probability, -80)
    )
    deltas = np.zeros((1, NUM_PRIORS, 4), np.float32)
    deltas[0, data['loc_prior']] = data['loc_value']
    return logits.astype(np.float32), deltas


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('image', [0, 1, 2])
def test_detections_of_the_release(
    release_head: M2DetHead,
    reference: Reference,
    to_maps: Callable[[np.ndarray], list[Tensor]],
    image: int,
    mode: str,
) -> None:
    data = reference(f'post_{image}')
    width, height = data['size']
    meta = {'img_shape': (SIZE, SIZE), 'scale_factor': (SIZE / width, SIZE / height)}
    settings = release_head.test_cfg.copy()
    settings.nms = settings.nms.copy()
    for key, value in MODES[mode].items():
        owner, name = (settings.nms, key[4:]) if '.' in key else (settings, key)
        owner[name] = value

    scores, deltas = map(to_maps, outputs(data))
    (found,) = release_head.predict_by_feat(
        scores, deltas, batch_img_metas=[meta], cfg=settings, rescale=True
    )
    assert (found.scores.diff() <= 0).all()
    rows = torch.cat(
        [found.labels[:, None] + 1.0, found.bboxes, found.scores[:, None]], dim=1
    ).numpy()
    expected = data[f'dets_{mode}']
    assert len(rows) == len(expected) > 0
    # Class by class, best first.
    rows, expected = (x[np.lexsort((-x[:, 5], x[:, 0]))] for x in (rows, expected))
    assert np.array_equal(rows[:, 0], expected[:, 0])
    np.testing.assert_allclose(rows[:, 1:5], expected[:, 1:5], rtol=0, atol=1e-3)
    np.testing.assert_allclose(rows[:, 5], expected[:, 5], rtol=0, atol=1e-5)


def test_soft_nms_of_the_release(reference: Reference) -> None:
    data = reference('soft_nms')
    methods = {'linear': 'linear', 'hard': 'naive', 'gaussian': 'gaussian'}
    results = [name for name in data if not name.endswith('_in')]
    assert len(results) == 28
    for name in results:
        boxes_name, method, setting = name.rsplit('_', 2)
        boxes = torch.from_numpy(data[f'{boxes_name}_in']).float()
        key = 'sigma' if method == 'gaussian' else 'iou_threshold'
        dets, _ = batched_soft_nms(
            boxes[:, :4],
            boxes[:, 4],
            torch.zeros(len(boxes), dtype=torch.long),
            method=methods[method],
            offset=1,
            variant='original',
            **{key: float(setting.lstrip('sigmant'))},
        )
        dets = dets.numpy()
        dets = dets[np.lexsort((dets[:, 0], -dets[:, 4]))]
        np.testing.assert_allclose(dets, data[name], rtol=0, atol=1e-5, err_msg=name)
