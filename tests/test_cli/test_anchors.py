from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from m2det_mmdet import apis
from m2det_mmdet.analysis.anchors import AnchorFit
from m2det_mmdet.analysis.anchors.objects import Objects
from m2det_mmdet.apis import FittedAnchors
from m2det_mmdet.cli import main


def _fit(iou: float) -> AnchorFit:
    """One object of 10x10 pixels, which an anchor overlaps by ``iou``."""
    objects = Objects(
        np.zeros((1, 2)),
        np.full((1, 2), 10.0),
        np.array([100.0]),
        np.array([1]),
        np.array([0]),
        np.array([[64.0, 64.0]]),
        np.array([1]),
    )
    return AnchorFit(objects, (((40.0, 40.0),),), np.array([iou]), 0.5)


@pytest.fixture
def fitting(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Return a result without work, and note the arguments."""
    result = FittedAnchors(
        'mine', 'bbox_head', {'sizes': [0.1, 0.25]}, _fit(0.25), _fit(0.75), 7
    )
    found = SimpleNamespace(result=result, called=None)

    def fit_anchors(*args: Any, **kwargs: Any) -> FittedAnchors:
        found.called = (args, kwargs)
        return found.result

    monkeypatch.setattr(apis, 'fit_anchors', fit_anchors)
    return found


def test_figures_and_settings_are_printed(
    fitting: SimpleNamespace, capsys: pytest.CaptureFixture
) -> None:
    argv = ['anchors', 'mine.py', '--data', 'd', '-o', 'a.py', '--picture', 'a.png']

    assert main([*argv, '--seed', '5', '--force']) == 0

    assert fitting.called == (
        ('mine.py', Path('d')),
        {
            'write': Path('a.py'),
            'picture': Path('a.png'),
            'seed': 5,
            'force': True,
        },
    )
    text = capsys.readouterr().out
    assert text.startswith('mine: 1 training objects of 7 images\n\n')
    assert '|   recall at IoU 0.5 |  0.000 | 1.000 |\n' in text
    assert '            sizes=[0.1, 0.25],\n' in text
    # All are reached now.
    assert 'Not reached' not in text


def test_anchors_that_are_kept_are_told(
    fitting: SimpleNamespace, capsys: pytest.CaptureFixture
) -> None:
    fitting.result = FittedAnchors(
        'mine', 'bbox_head', {}, _fit(0.25), _fit(0.25), 7, written=Path('a.py')
    )

    assert main(['anchors', 'mine.py', '--data', 'd']) == 0

    assert capsys.readouterr().out.splitlines()[-3:] == [
        "No better anchors were found: the config's own are kept.",
        'Not reached are 1 objects: all are too small for the smallest anchors, of 40 '
        'pixels a side: they need anchors of about 10 pixels, or a larger input.',
        'Config written to a.py',
    ]


def test_data_must_be_given(capsys: pytest.CaptureFixture) -> None:
    assert main(['anchors', 'm2det_r18_scenes']) == 2
    assert '--data' in capsys.readouterr().err
