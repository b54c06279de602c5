"""A file that differs in any of its outputs is refused."""

import re
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer

from m2det_mmdet.export.errors import ExportError
from m2det_mmdet.export.graph import DetectionGraph
from m2det_mmdet.export.plan import plan_graph
from m2det_mmdet.export.verification import verify


@pytest.fixture(scope='module')
def graph(detector: DetInferencer) -> DetectionGraph:
    plan = plan_graph(detector.cfg, detector.model)
    return DetectionGraph(detector.model, plan.suppression, everything=True).eval()


@pytest.fixture(scope='module')
def images() -> torch.Tensor:
    return torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(2))


def _run(
    graph: DetectionGraph, images: np.ndarray, **changes: int
) -> Mapping[str, np.ndarray]:
    """Run the graph as a file does, with a number added to some outputs."""
    with torch.no_grad():
        found = dict(zip(graph.names, graph(torch.from_numpy(images)), strict=True))
    found = {name: x.numpy().copy() for name, x in found.items()}
    for name, change in changes.items():
        found[name][-1, 0] += change
    return found


def test_equal_outputs_pass(graph: DetectionGraph, images: torch.Tensor) -> None:
    def run(x: np.ndarray) -> Mapping[str, np.ndarray]:
        return _run(graph, x)

    (compared,) = verify(graph, run, run, [('noise', images)])

    assert compared.outputs == compared.scores == compared.others == 0
    assert compared.found > 10
    assert compared.shape == (2, 3, 128, 128)


@pytest.mark.parametrize(
    ('name', 'change', 'message'),
    [
        ('all_boxes', 1.0, 'boxes or scores of anchors differ by'),
        ('all_scores', 0.01, 'boxes or scores of anchors differ by'),
        ('all_boxes', np.nan, 'boxes or scores of anchors differ by nan'),
        ('boxes', 1.0, 'boxes differ by 1.0e'),
        ('scores', 1e-4, 'scores differ by 1.0e-04'),
        ('labels', 1, 'labels differ by 1.0e'),
    ],
)
def test_an_output_that_differs_is_named(
    name: str, change: float, message: str, graph: DetectionGraph, images: torch.Tensor
) -> None:
    with pytest.raises(ExportError, match=message) as caught:
        verify(
            graph,
            lambda x: _run(graph, x, **{name: change}),
            lambda x: _run(graph, x, **{name: change}),
            [('noise', images)],
        )
    assert 'on noise of shape (2, 3, 128, 128)' in str(caught.value)


def test_the_rounding_of_the_detector_itself_is_told(
    graph: DetectionGraph, images: torch.Tensor
) -> None:
    def run(x: np.ndarray) -> Mapping[str, np.ndarray]:
        return _run(graph, x, all_boxes=1.0)

    with pytest.raises(ExportError) as caught:
        verify(graph, run, run, [('noise', images)])

    told = re.search(r'PyTorch alone differs by (\S+) from', str(caught.value))
    assert 1e-8 < float(told[1]) < 1e-5


def test_a_larger_tolerance_lets_a_file_pass(
    graph: DetectionGraph, images: torch.Tensor
) -> None:
    def run(x: np.ndarray) -> Mapping[str, np.ndarray]:
        return _run(graph, x, all_boxes=1.0)

    with pytest.raises(ExportError):
        verify(graph, run, run, [('noise', images)])
    # The first anchor, which is moved by a pixel, is not among those that remain.
    (compared,) = verify(graph, run, run, [('noise', images)], tolerance=0.1)
    assert 1e-3 < compared.outputs < 1e-2


def test_the_file_has_to_agree_with_what_was_checked(
    graph: DetectionGraph, images: torch.Tensor
) -> None:
    with pytest.raises(ExportError, match='labels differ'):
        verify(
            graph,
            lambda x: _run(graph, x),
            lambda x: _run(graph, x, labels=1),
            [('noise', images)],
        )
