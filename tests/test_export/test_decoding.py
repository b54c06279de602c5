"""Heads of MMDetection in a graph select the boxes that their own code selects."""

import pytest
import torch
from mmdet.models.detectors import SingleStageDetector
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from torch import Tensor

from m2det_mmdet.export.decoding import decoder_of
from m2det_mmdet.export.errors import ExportError
from m2det_mmdet.export.graph import suppressed
from m2det_mmdet.export.plan import suppression_of

SIZE = (64, 96)
STRIDES = (8, 16, 32)
ANCHORS = {
    'type': 'AnchorGenerator',
    'ratios': [1.0],
    'octave_base_scale': 4,
    'scales_per_octave': 1,
    'strides': STRIDES,
}
GFL_LOSS = {'type': 'QualityFocalLoss', 'use_sigmoid': True}
COMMON = {'num_classes': 3, 'in_channels': 8, 'feat_channels': 32, 'stacked_convs': 1}
HEADS = {
    'RetinaHead': {**COMMON, 'anchor_generator': {**ANCHORS, 'scales_per_octave': 2}},
    'ATSSHead': {**COMMON, 'anchor_generator': ANCHORS},
    'GFLHead': {**COMMON, 'anchor_generator': ANCHORS, 'loss_cls': GFL_LOSS},
    'FCOSHead': {
        **COMMON,
        'strides': STRIDES,
        'regress_ranges': ((-1, 32), (32, 64), (64, 1e8)),
    },
    'SSDHead': {
        'num_classes': 3,
        'in_channels': (8, 8, 8),
        'anchor_generator': {
            'type': 'SSDAnchorGenerator',
            'scale_major': False,
            'min_sizes': [12, 24, 40],
            'max_sizes': [24, 40, 60],
            'strides': STRIDES,
            'ratios': [[2], [2], [2]],
        },
    },
}
TESTS = {
    'hard': {'type': 'nms', 'iou_threshold': 0.5},
    'soft': {'type': 'soft_nms', 'iou_threshold': 0.3, 'min_score': 0.01},
}
# The first level has more scores above the threshold than `nms_pre`.
LIMITS = {'score_thr': 0.05, 'nms_pre': 40, 'max_per_img': 50, 'min_bbox_size': 12}


def detector(head: str, **settings: object) -> SingleStageDetector:
    return MODELS.build(
        {
            'type': 'SingleStageDetector',
            'backbone': {'type': 'SSDVGG', 'depth': 11, 'out_indices': (1,)},
            'bbox_head': {'type': head, **HEADS[head], **settings},
            'test_cfg': {**LIMITS, 'nms': TESTS['hard']},
        }
    ).eval()


def outputs_of(model: SingleStageDetector) -> list[list[Tensor]]:
    """What a head might predict for two images: scores from low to high."""
    maps = [torch.zeros(2, 8, *(n // stride for n in SIZE)) for stride in STRIDES]
    with torch.no_grad():
        outputs = model.bbox_head(maps)
    shapes = [[x.shape for x in levels] for levels in outputs if levels[0] is not None]
    draws = [[torch.randn(shape) for shape in levels] for levels in shapes]
    kind = type(model.bbox_head).__name__
    if kind == 'FCOSHead':
        # Distances in pixels.
        draws[1] = [x.abs() * 20 for x in draws[1]]
    if kind == 'GFLHead':
        # Short ones are more likely.
        slope = -0.5 * torch.arange(17).repeat(4)[:, None, None]
        draws[1] = [x + slope for x in draws[1]]
    return [[2 * x - 1 for x in draws[0]], *draws[1:]]


@pytest.mark.parametrize('nms', TESTS)
@pytest.mark.parametrize('head', HEADS)
def test_the_boxes_are_those_of_the_head(head: str, nms: str) -> None:
    model = detector(head)
    outputs = outputs_of(model)
    settings = ConfigDict(LIMITS, nms=TESTS[nms])
    metas = [{'img_shape': SIZE}] * 2
    expected = model.bbox_head.predict_by_feat(
        *outputs, batch_img_metas=metas, cfg=settings
    )

    found = decoder_of(model)(outputs, SIZE)
    boxes, scores, labels = suppressed(found, suppression_of(settings, None))

    for image, own in enumerate(expected):
        count = len(own.labels)
        assert count > 20
        assert (labels[image, count:] == -1).all()
        assert labels[image, :count].tolist() == own.labels.tolist()
        torch.testing.assert_close(scores[image, :count], own.scores)
        torch.testing.assert_close(boxes[image, :count], own.bboxes)


@pytest.mark.parametrize(
    ('name', 'other'),
    [('score_thr', 0.9), ('nms_pre', -1), ('max_per_img', 10), ('min_bbox_size', -1)],
)
def test_each_limit_changes_the_boxes(name: str, other: float) -> None:
    model = detector('ATSSHead')
    found = decoder_of(model)(outputs_of(model), SIZE)
    settings = {**LIMITS, 'nms': TESTS['hard'], 'max_per_img': 500}

    counts = [
        (suppressed(found, suppression_of(x, None))[2] >= 0).sum()
        for x in (settings, {**settings, name: other})
    ]

    assert counts[0] != counts[1]


def test_a_score_is_multiplied_by_its_centerness() -> None:
    model = detector('ATSSHead')
    maps, deltas, centerness = outputs_of(model)

    found = decoder_of(model)((maps, deltas, centerness), SIZE)

    # The cell (1, 2) of the second level, of 4 x 6 cells behind 8 x 12.
    row, cell = 8 * 12 + 1 * 6 + 2, (0, slice(None), 1, 2)
    expected = maps[1][cell].sigmoid()
    torch.testing.assert_close(found.ranks[1][0, 8], expected)
    expected = expected * centerness[1][cell].sigmoid()
    torch.testing.assert_close(found.scores[0, row], expected)


@pytest.mark.parametrize('kind', ['YOLOV3Head', 'FoveaHead'])
def test_another_head_is_refused_by_its_name(kind: str) -> None:
    model = detector('RetinaHead')
    model.bbox_head = MODELS.get(kind).__new__(MODELS.get(kind))

    with pytest.raises(ExportError, match=f'^{kind} cannot be exported: .*RetinaNet'):
        decoder_of(model)
