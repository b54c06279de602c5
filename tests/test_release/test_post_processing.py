"""Decoding, threshold and Soft-NMS equal those of the released code.

So do they in an exported graph.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from torch import Tensor, nn
from torch.export import Dim, export

from m2det_mmdet.export.decoding import Decoded
from m2det_mmdet.export.graph import DETECTIONS, RAW, suppressed
from m2det_mmdet.export.onnx_file import to_onnx
from m2det_mmdet.export.plan import suppression_of
from m2det_mmdet.models.dense_heads import M2DetHead
from m2det_mmdet.ops import batched_soft_nms
from m2det_mmdet.ops.traced_soft_nms import traced_soft_nms

SIZE, NUM_PRIORS = 320, 12810
# Boxes and scores of any number of images.
BATCHES = ({0: Dim.DYNAMIC}, {0: Dim.DYNAMIC})
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


def settings_of(head: M2DetHead, mode: str) -> ConfigDict:
    """The ``test_cfg`` of a mode."""
    settings = head.test_cfg.copy()
    settings.nms = settings.nms.copy()
    for key, value in MODES[mode].items():
        owner, name = (settings.nms, key[4:]) if '.' in key else (settings, key)
        owner[name] = value
    return settings


def check(boxes: Tensor, scores: Tensor, labels: Tensor, expected: np.ndarray) -> None:
    """Compare detections of an image with those of the release, class by class."""
    assert (scores.diff() <= 0).all()
    rows = torch.cat([labels[:, None] + 1.0, boxes, scores[:, None]], dim=1).numpy()
    assert len(rows) == len(expected) > 0
    # Class by class, best first.
    rows, expected = (x[np.lexsort((-x[:, 5], x[:, 0]))] for x in (rows, expected))
    assert np.array_equal(rows[:, 0], expected[:, 0])
    np.testing.assert_allclose(rows[:, 1:5], expected[:, 1:5], rtol=0, atol=1e-3)
    np.testing.assert_allclose(rows[:, 5], expected[:, 5], rtol=0, atol=1e-5)


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

    scores, deltas = map(to_maps, outputs(data))
    (found,) = release_head.predict_by_feat(
        scores,
        deltas,
        batch_img_metas=[meta],
        cfg=settings_of(release_head, mode),
        rescale=True,
    )
    check(found.bboxes, found.scores, found.labels, data[f'dets_{mode}'])


class Selection(nn.Module):
    """What an exported graph does behind the head, as a graph of its own."""

    def __init__(self, settings: ConfigDict) -> None:
        super().__init__()
        self.how = suppression_of(settings, None)

    def forward(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, ...]:
        return suppressed(Decoded(boxes, scores), self.how)


@pytest.mark.parametrize(
    'mode',
    [
        'released',
        *(pytest.param(x, marks=pytest.mark.slow) for x in MODES if x != 'released'),
    ],
)
def test_detections_of_an_exported_graph(
    release_head: M2DetHead,
    reference: Reference,
    to_maps: Callable[[np.ndarray], list[Tensor]],
    mode: str,
) -> None:
    runtime = pytest.importorskip('onnxruntime')
    images = [reference(f'post_{image}') for image in range(3)]
    maps = [map(to_maps, outputs(data)) for data in images]
    decoded = [release_head.decode(*x, (SIZE, SIZE)) for x in maps]
    boxes, scores = map(torch.cat, zip(*decoded, strict=True))
    sides = torch.tensor(np.array([data['size'] for data in images])).repeat(1, 2)
    boxes = boxes * (sides / SIZE)[:, None]
    selection = Selection(settings_of(release_head, mode))

    # As `programs.trace` does.
    torch.compiler.reset()
    program = export(selection, (boxes[:2], scores[:2]), dynamic_shapes=BATCHES)
    session = runtime.InferenceSession(
        to_onnx(program, DETECTIONS, inputs=RAW).SerializeToString()
    )
    arrays = (boxes.numpy(), scores.numpy())
    found = session.run(None, dict(zip(RAW, arrays, strict=True)))

    for data, *own in zip(images, *map(torch.from_numpy, found), strict=True):
        count = (own[2] >= 0).sum()
        check(*(x[:count] for x in own), data[f'dets_{mode}'])


def check_lists(
    data: dict[str, np.ndarray], suppress: Callable[..., tuple[Tensor, Tensor]]
) -> None:
    """Compare what ``suppress`` makes of lists of boxes with what the release makes."""
    methods = {'linear': 'linear', 'hard': 'naive', 'gaussian': 'gaussian'}
    results = [name for name in data if not name.endswith('_in')]
    assert len(results) == 28
    for name in results:
        boxes_name, method, setting = name.rsplit('_', 2)
        rows = torch.from_numpy(data[f'{boxes_name}_in']).float()
        key = 'sigma' if method == 'gaussian' else 'iou_threshold'
        boxes, scores = suppress(
            rows[:, :4],
            rows[:, 4],
            method=methods[method],
            offset=1,
            variant='original',
            **{key: float(setting.lstrip('sigmant'))},
        )
        dets = torch.cat([boxes, scores[:, None]], dim=1).numpy()
        dets = dets[np.lexsort((dets[:, 0], -dets[:, 4]))]
        np.testing.assert_allclose(dets, data[name], rtol=0, atol=1e-5, err_msg=name)


def test_soft_nms_of_the_release(reference: Reference) -> None:
    def suppress(boxes: Tensor, scores: Tensor, **options) -> tuple[Tensor, Tensor]:  # noqa: ANN003
        one_class = torch.zeros(len(boxes), dtype=torch.long)
        dets, _ = batched_soft_nms(boxes, scores, one_class, **options)
        return dets[:, :4], dets[:, 4]

    check_lists(reference('soft_nms'), suppress)


class SoftNMS(nn.Module):
    """Soft-NMS of one class as a graph."""

    def __init__(self, options: dict[str, float | str]) -> None:
        super().__init__()
        self.options = options

    def forward(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, ...]:
        return traced_soft_nms(boxes, scores, **self.options)


@pytest.mark.slow
def test_soft_nms_of_an_exported_graph(reference: Reference) -> None:
    runtime = pytest.importorskip('onnxruntime')
    sessions = {}

    def session_of(options: dict[str, float | str]) -> Any:
        torch.compiler.reset()
        program = export(
            SoftNMS(options),
            (torch.rand(1, 5, 4), torch.rand(1, 5, 1)),
            dynamic_shapes=({1: Dim('boxes')},) * 2,
        )
        model = to_onnx(program, DETECTIONS, inputs=RAW)
        return runtime.InferenceSession(model.SerializeToString())

    def suppress(boxes: Tensor, scores: Tensor, **options) -> tuple[Tensor, Tensor]:  # noqa: ANN003
        key = tuple(options.items())
        sessions[key] = sessions.get(key) or session_of(options)
        arrays = (boxes[None].numpy(), scores[None, :, None].numpy())
        found = sessions[key].run(None, dict(zip(RAW, arrays, strict=True)))
        boxes, scores, labels = (torch.from_numpy(x[0]) for x in found)
        return boxes[labels == 0], scores[labels == 0]

    check_lists(reference('soft_nms'), suppress)
    assert len(sessions) == 7
