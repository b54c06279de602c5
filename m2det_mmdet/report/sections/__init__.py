"""The sections of a report: a file each, in the order of the page."""

from collections.abc import Callable

from ..findings import EvaluatedDetector, Findings
from ..page import Section
from . import accuracy, anchors, errors, images, summary, threshold, training

# Each returns its section; ``None`` where it has nothing to tell.
SECTIONS: tuple[Callable[[EvaluatedDetector, Findings], Section | None], ...] = (
    summary.section,
    errors.section,
    images.section,
    accuracy.section,
    threshold.section,
    anchors.section,
    training.section,
)
