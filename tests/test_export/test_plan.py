from typing import Any

import pytest
from mmdet.apis import DetInferencer
from mmengine.config import Config

from m2det_mmdet.export.errors import ExportError
from m2det_mmdet.export.plan import plan_graph, suppression_of

LINEAR = {'type': 'soft_nms', 'iou_threshold': 0.3, 'method': 'linear'}


def _plan(detector: DetInferencer, **options: Any) -> Any:
    return plan_graph(detector.cfg, detector.model, **options)


def test_the_plan_of_a_config(detector: DetInferencer) -> None:
    plan = _plan(detector)

    assert (plan.size, plan.batch) == ((128, 128), None)
    assert plan.preparation.rgb
    assert plan.preparation.std == pytest.approx((58.395, 57.12, 57.375))
    assert plan.preparation.pad_divisor == 1
    assert plan.suppression.max_per_img == 200
    assert plan.suppression.options['method'] == 'linear'


def test_a_config_that_keeps_the_ratio_of_sides_takes_any_size(
    detector: DetInferencer,
) -> None:
    cfg = Config(detector.cfg.to_dict())
    steps = cfg.test_dataloader.dataset.pipeline
    next(x for x in steps if x['type'] == 'Resize')['keep_ratio'] = True

    assert plan_graph(cfg, detector.model).size is None
    assert plan_graph(cfg, detector.model, size=(64, 96)).size == (64, 96)


@pytest.mark.parametrize(
    ('nms', 'own', 'expected'),
    [
        (None, LINEAR, {'iou_threshold': 0.3, 'method': 'linear'}),
        ('soft', LINEAR, {'iou_threshold': 0.3, 'method': 'linear'}),
        ('hard', LINEAR, {'iou_threshold': 0.3, 'method': 'naive'}),
        (
            'hard',
            {'type': 'soft_nms', 'offset': 1},
            {'iou_threshold': 0.5, 'method': 'naive', 'offset': 1},
        ),
        ('soft', {'type': 'nms', 'iou_threshold': 0.45}, {'iou_threshold': 0.45}),
        (None, {**LINEAR, 'split_thr': 7}, {'iou_threshold': 0.3}),
    ],
)
def test_suppressions(nms: str | None, own: dict, expected: dict) -> None:
    how = suppression_of({'score_thr': 0.1, 'nms': own, 'max_per_img': 9}, nms)

    assert (how.score_thr, how.max_per_img) == (0.1, 9)
    assert expected.items() <= how.options.items()


@pytest.mark.parametrize(
    ('own', 'message'),
    [
        ({'type': 'soft_nms', 'max_num': 5}, 'soft_nms has no option max_num'),
        ({'type': 'wbf'}, "nms.type must be one of .* got 'wbf'"),
    ],
)
def test_a_suppression_that_no_graph_has(own: dict, message: str) -> None:
    with pytest.raises(ExportError, match=f'test_cfg of the head: {message}'):
        suppression_of({'nms': own}, None)


@pytest.mark.parametrize(
    ('nms', 'test_cfg'), [('none', {'nms': LINEAR}), (None, {'nms': None}), (None, {})]
)
def test_no_suppression(nms: str | None, test_cfg: dict) -> None:
    assert suppression_of(test_cfg, nms) is None


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'nms': 'fuzzy'}, "nms must be one of soft, hard, none, got 'fuzzy'"),
        ({'batch': 0}, 'batch must be a number from 1 or dynamic, got 0'),
        ({'batch': True}, 'batch must be'),
        ({'size': (64,)}, r'size must be a height and a width .*got \(64,\)'),
        ({'size': (64, -1)}, 'size must be'),
        ({'size': 'large'}, "size must be .*got 'large'"),
        ({'size': 'dynamic', 'inside': True}, 'needs the size to resize them to'),
    ],
)
def test_bad_wishes_are_one_sentence(
    options: dict, message: str, detector: DetInferencer
) -> None:
    with pytest.raises(ExportError, match=message):
        _plan(detector, **options)
