"""Which class is taken for which."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from pycocotools.coco import COCO

from .copies import chosen, with_annotations
from .matches import Matches, match


class Confusion(NamedTuple):
    """How often objects of one class are taken for another."""

    true: str
    predicted: str
    count: int


@dataclass(frozen=True)
class ConfusionMatrix:
    """Objects by their class, and what the detector takes them for.

    Attributes:
        classes: Names of the ``K`` classes.
        counts: ``(K + 1, K + 1)``: a row for each true class, then one for the
            background; a column for each predicted class, then one for what is missed.
            The last row counts detections of nothing, the last column objects that
            are not found, and their common cell is 0.
        score_thr: The lowest score of the detections.
        iou_thr: The lowest IoU of a detection and its object.
    """

    classes: tuple[str, ...]
    counts: np.ndarray
    score_thr: float
    iou_thr: float

    def most_confused(self, n: int) -> list[Confusion]:
        """Return up to ``n`` pairs of classes, from the most frequent on."""
        count = len(self.classes)
        between = self.counts[:count, :count].copy()
        np.fill_diagonal(between, 0)
        order = np.argsort(-between, axis=None, kind='stable')
        order = order[between.ravel()[order] > 0][:n]
        return [
            Confusion(
                self.classes[row], self.classes[column], int(between[row, column])
            )
            for row, column in zip(*np.divmod(order, max(count, 1)), strict=True)
        ]


def confusion(
    truth: COCO, found: COCO, matches: Matches, *, score_thr: float
) -> ConfusionMatrix:
    """Count which class is taken for which.

    First objects are matched with detections of their class, as COCO does. What is left
    is matched with any class, again from the highest score on. Crowds, and detections
    on them, do not count.

    Args:
        truth: Annotations.
        found: Detections.
        matches: Those of both by class; its IoU is that of all matches here.
        score_thr: The lowest score of a detection that counts.
    """
    outcomes = matches.at(score_thr)
    ids = matches.objects.ids[outcomes.missed], matches.detections.ids[outcomes.wrong]
    rest = match(
        with_annotations(truth, chosen(truth, ids[0])),
        with_annotations(truth, chosen(found, ids[1])),
        iou_thr=matches.iou_thr,
        by_class=False,
    )
    none = len(matches.classes)
    counts = np.zeros((none + 1, none + 1), dtype=int)
    right = matches.detections.label[outcomes.right]
    np.add.at(counts, (right, right), 1)
    left, objects = rest.detections, rest.objects
    # An index of -1, which is no object, leads to the last one: the background.
    rows = np.append(objects.label, none)[left.object]
    np.add.at(counts, (rows, left.label), 1)
    np.add.at(counts, (objects.label[objects.unmatched], none), 1)
    return ConfusionMatrix(matches.classes, counts, score_thr, matches.iou_thr)
