import logging
import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import mmcv.ops
import numpy as np
import pytest
import torch
from mmengine.config import Config

NAME = 'm2det_mmdet.compat.fast_nms'
BOXES = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 20], [50, 50, 60, 60]])
SCORES = torch.tensor([0.9, 0.8, 0.7])
LABELS = torch.tensor([0, 0, 1])


@pytest.fixture
def fast_nms(caplog: pytest.LogCaptureFixture) -> Iterator[ModuleType]:
    """Import the module anew; afterwards mmcv has its own functions again."""
    places = (mmcv.ops, import_module('mmcv.ops.nms'))
    originals = [place.soft_nms for place in places]
    before = sys.modules.pop(NAME, None)
    with caplog.at_level(logging.INFO, logger='m2det_mmdet'):
        yield import_module(NAME)
    for place, original in zip(places, originals, strict=True):
        place.soft_nms = original
    sys.modules.pop(NAME, None)
    if before is not None:
        sys.modules[NAME] = before


def test_the_import_takes_the_place_of_mmcvs(
    fast_nms: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    assert mmcv.ops.soft_nms is fast_nms.soft_nms
    assert import_module('mmcv.ops.nms').soft_nms is fast_nms.soft_nms
    messages = [x.getMessage() for x in caplog.get_records('setup')]
    assert messages == [f"{NAME} has put its soft-NMS in the place of mmcv's."]


def test_nothing_is_replaced_without_the_import() -> None:
    assert mmcv.ops.soft_nms.__module__ == 'mmcv.ops.nms'


def test_a_config_asks_for_it(fast_nms: ModuleType) -> None:
    imports = {'imports': ['m2det_mmdet', NAME], 'allow_failed_imports': False}
    text = f'custom_imports = {imports!r}\n'
    mmcv.ops.soft_nms = None
    del sys.modules[NAME]
    Config.fromstring(text, '.py')

    assert mmcv.ops.soft_nms is sys.modules[NAME].soft_nms
    assert mmcv.ops.soft_nms is not fast_nms.soft_nms


@pytest.mark.usefixtures('fast_nms')
def test_batched_nms_of_mmcv_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    config = {'type': 'soft_nms', 'iou_threshold': 0.3, 'max_num': 2}
    dets, keep = mmcv.ops.batched_nms(BOXES, SCORES, LABELS, config)
    assert keep.tolist() == [0, 2]
    torch.testing.assert_close(dets, torch.cat((BOXES, SCORES[:, None]), 1)[[0, 2]])

    config = {'type': 'soft_nms', 'iou_threshold': 0.3, 'min_score': 0.05}
    dets, keep = mmcv.ops.batched_nms(BOXES, SCORES, LABELS, config)
    assert keep.tolist() == [0, 2, 1]
    torch.testing.assert_close(dets[:, 4], torch.tensor([0.9, 0.7, 0.4]))
    # Above this number mmcv goes class by class.
    config = {'type': 'soft_nms', 'split_thr': 2, 'max_num': 2}
    _, keep = mmcv.ops.batched_nms(BOXES, SCORES, LABELS, config)
    assert keep.tolist() == [0, 2]


@pytest.mark.parametrize('kind', ['numpy', 'torch'])
def test_results_are_of_the_kind_of_the_boxes(fast_nms: ModuleType, kind: str) -> None:
    boxes, scores = (x.numpy() if kind == 'numpy' else x for x in (BOXES, SCORES))
    dets, keep = fast_nms.soft_nms(boxes, scores, 0.3, 0.5, 1e-3, 'linear', 0, 2)

    assert type(dets) is type(keep) is type(boxes)
    assert keep.tolist() == [0, 2]
    np.testing.assert_allclose(dets[:, 4], [0.9, 0.7], rtol=1e-6)


def test_the_former_name_of_the_threshold_is_taken(fast_nms: ModuleType) -> None:
    with pytest.warns(DeprecationWarning, match='"iou_thr" is deprecated'):
        _, keep = fast_nms.soft_nms(BOXES, SCORES, iou_thr=0.6)

    assert keep.tolist() == [0, 1, 2]


def test_arrays_may_run_backwards(fast_nms: ModuleType) -> None:
    _, keep = fast_nms.soft_nms(BOXES.numpy()[::-1], SCORES.numpy()[::-1])

    assert keep.tolist() == [2, 0, 1]
