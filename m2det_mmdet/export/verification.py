"""Whether an exported file gives what the detector does."""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import NamedTuple

import torch
from torch import Tensor

from ..ops import multiclass_soft_nms
from .decoding import Decoded
from .errors import ExportError
from .graph import DETECTIONS, RANKS, RAW, DetectionGraph, Suppression, candidates
from .runtimes.exported import Run

# Of the largest number of an output: what another order of sums may change.
TOLERANCE = 1e-4
# Of a score, where the same boxes are suppressed.
SCORE_TOLERANCE = 1e-5
# What one box may differ by: corners (pixels), score, class.
_NEAR = {'boxes': 0.05, 'scores': 1e-3, 'labels': 0}


class Compared(NamedTuple):
    """What a file gave for some images, beside the detector.

    Attributes:
        what: The images, in words.
        shape: Of the input.
        outputs: Largest difference of the boxes and scores of all anchors, as a
            fraction of the largest number.
        found: Boxes that remain.
        scores: Largest difference of a score from the package's own suppression of the
            same boxes.
        others: Places of the list where the detector has another box: where scores are
            equal but for rounding, that decides which is picked first.
    """

    what: str
    shape: tuple[int, ...]
    outputs: float
    found: int = 0
    scores: float = 0.0
    others: int = 0


def verify(
    graph: DetectionGraph,
    whole: Run,
    final: Run,
    examples: Iterable[tuple[str, Tensor]],
    *,
    tolerance: float = TOLERANCE,
) -> list[Compared]:
    """Compare what a file gives with the detector.

    Three things have to agree: the boxes and scores of all anchors with the network's;
    what is left of them with :func:`.multiclass_soft_nms`, box by box and in order; and
    the file with what it was compared in, which gives all anchors, too.

    Args:
        graph: The detector.
        whole: Runs the file with the boxes of all anchors as further outputs.
        final: Runs the file.
        examples: Images in words, and themselves.
        tolerance: Of the boxes and scores of all anchors, a fraction of the largest.

    Raises:
        ExportError: At the first difference.
    """
    return [
        _compare(graph, whole, final, what, images, tolerance)
        for what, images in examples
    ]


def _compare(
    graph: DetectionGraph,
    whole: Run,
    final: Run,
    what: str,
    images: Tensor,
    tolerance: float,
) -> Compared:
    with torch.no_grad():
        expected = dict(zip(graph.names, graph(images), strict=True))
    array = images.numpy()
    given = {name: torch.from_numpy(x) for name, x in whole(array).items()}
    last = {name: torch.from_numpy(x) for name, x in final(array).items()}
    shape = tuple(images.shape)
    where = f'on {what} of shape {shape}'
    outputs = max(_difference(given[x], expected[x]) for x in RAW)
    if not outputs <= tolerance:
        raise ExportError(
            f'The file differs from the detector: {where} boxes or scores of anchors '
            f'differ by {outputs:.1e} of the largest, more than {tolerance:.0e}; '
            f'PyTorch alone differs by {_rounding(graph, images, expected):.1e} from '
            'itself in float64. A larger tolerance lets the file pass.'
        )
    if graph.suppression is None:
        _check_equal(last, given, RAW, where)
        return Compared(what, shape, outputs)
    own = dict(zip(DETECTIONS, _suppressed(given, graph.suppression), strict=True))
    scores = _check_equal(given, own, DETECTIONS, where)
    _check_equal(last, given, DETECTIONS, where)
    return Compared(
        what,
        shape,
        outputs,
        found=int((last['labels'] >= 0).sum()),
        scores=scores,
        others=_others(last, expected),
    )


def _difference(given: Tensor, expected: Tensor) -> float:
    if given.shape != expected.shape:
        return torch.inf
    return float((given - expected).abs().max() / expected.abs().max().clamp(min=1e-6))


def _rounding(
    graph: DetectionGraph, images: Tensor, expected: Mapping[str, Tensor]
) -> float:
    """Return what rounding to float32 costs the detector itself."""
    if images.is_floating_point():
        images = images.double()
    with torch.no_grad():
        found = deepcopy(graph).double()(images)
    exact = dict(zip(graph.names, found, strict=True))
    return max(_difference(expected[x], exact[x]) for x in RAW)


def _suppressed(given: Mapping[str, Tensor], how: Suppression) -> Sequence[Tensor]:
    """Select boxes as the package does, by its kernels."""
    ranks = [x for name, x in given.items() if name.startswith(RANKS)]
    found = Decoded(*(given[name] for name in RAW), tuple(ranks) or None)
    scores, threshold = candidates(found, how)
    dets, labels, _ = multiclass_soft_nms(
        found.boxes,
        scores,
        score_thr=threshold,
        class_agnostic=how.class_agnostic,
        max_num=how.max_per_img,
        **how.options,
    )
    return dets[..., :4], dets[..., 4], labels


def _check_equal(
    given: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    names: Sequence[str],
    where: str,
) -> float:
    """Check that two lists have the same boxes in the same order.

    Returns:
        The largest difference of a score.
    """
    # A graph may have room for more boxes than there are anchors.
    count = min(given[names[-1]].shape[1], expected[names[-1]].shape[1])
    one, other = ({x: y[x][:, :count] for x in names} for y in (given, expected))
    differences = {x: float((one[x] - other[x]).abs().max()) for x in names if count}
    limits = {'labels': 0.0, 'scores': SCORE_TOLERANCE, 'all_scores': SCORE_TOLERANCE}
    for name, difference in differences.items():
        largest = float(other[name].abs().max())
        if not difference <= limits.get(name, TOLERANCE * max(1.0, largest)):
            raise ExportError(
                f'The suppression of the file differs from that of the detector: '
                f'{where} {name} differ by {difference:.1e}.'
            )
    return differences.get('scores', 0.0)


def _others(given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> int:
    """Count the places of a list where the detector has another box."""
    count = min(given['labels'].shape[1], expected['labels'].shape[1])
    same = torch.ones(given['labels'].shape[0], count, dtype=torch.bool)
    for name, near in _NEAR.items():
        difference = given[name][:, :count] - expected[name][:, :count]
        same &= (difference.abs() <= near).view(*same.shape, -1).all(2)
    return int((~same).sum())
