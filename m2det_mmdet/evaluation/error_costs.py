"""What each kind of error costs a detector.

Costs are those of `TIDE <https://arxiv.org/abs/2008.08115>`_ (Bolya et al., ECCV 2020):
the AP that a detector would gain if it did not make one kind of error. They do not add
up to what is missing of an AP of 1, since one error can hide another.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from pycocotools.coco import COCO

from .copies import chosen, with_annotations
from .errors import ERROR_KINDS, POINTING, DetectorError, ErrorKind
from .figures import class_aps, known_mean
from .matches import Matches

CostKind = ErrorKind | Literal['false_positives', 'false_negatives']

# A detection or an object, as COCO has it.
_Record = dict[str, Any]


class ErrorCost(NamedTuple):
    """What a kind of error costs.

    Attributes:
        count: Number of errors.
        delta_ap50: What AP would gain without them, at the IoU of the matches (0.5 if
            nobody chose another one); NaN where there are no objects at all.
    """

    count: int
    delta_ap50: float


def error_costs(
    truth: COCO, found: COCO, matches: Matches, errors: Sequence[DetectorError]
) -> dict[CostKind, ErrorCost]:
    """Compute what AP would gain if errors of one kind alone were mended.

    A copy of the detections is evaluated in which

    - each object without a detection gets the best of those that point at it by an
      error of location or class, with its class and box, if that error is of the kind;
    - all other detections with an error of the kind are left out;
    - objects that are missed are left out, if that is the kind.

    A class that loses all its objects by this has an AP of 0 if a wrong detection of it
    is left, and does not count otherwise; if no class counts, AP is 1. A gain below 0,
    as COCO's grid of recalls can give it, is 0.

    Args:
        truth: Annotations.
        found: Detections.
        matches: Those of both, by class.
        errors: What :func:`.find_errors` finds in them.

    Returns:
        The cost of each kind; ``false_positives`` is that of all wrong detections, and
        ``false_negatives`` that of all objects without a detection.
    """
    mending = _Mending(truth, found, matches)
    heirs = _heirs(matches, errors)
    costs: dict[CostKind, ErrorCost] = {}
    for kind in ERROR_KINDS:
        of_kind = [error for error in errors if error.kind == kind]
        changes = {
            error.detection: _mended(error, truth, found, heirs)
            for error in of_kind
            if error.detection is not None
        }
        lost = {error.object for error in of_kind if error.detection is None}
        costs[kind] = ErrorCost(len(of_kind), mending.gain(changes, lost))
    wrong = matches.detections.ids[matches.detections.wrong].tolist()
    lost = matches.objects.ids[matches.objects.unmatched].tolist()
    gain = mending.gain(dict.fromkeys(wrong), ())
    costs['false_positives'] = ErrorCost(len(wrong), gain)
    costs['false_negatives'] = ErrorCost(len(lost), mending.gain({}, set(lost)))
    return costs


def _heirs(matches: Matches, errors: Sequence[DetectorError]) -> dict[int, int]:
    """Return the best detection that points at each object which none has."""
    free = set(matches.objects.ids[matches.objects.unmatched].tolist())
    heirs: dict[int, int] = {}
    # In each image from the highest score on.
    for error in errors:
        if error.kind in POINTING and error.object in free:
            heirs.setdefault(error.object, error.detection)
    return heirs


def _mended(
    error: DetectorError, truth: COCO, found: COCO, heirs: Mapping[int, int]
) -> _Record | None:
    """Return a detection as it should have been; ``None`` if it should not be."""
    if error.kind not in POINTING or heirs.get(error.object) != error.detection:
        return None
    target = truth.anns[error.object]
    box = {key: target[key] for key in ('category_id', 'bbox', 'area')}
    return {**found.anns[error.detection], **box}


class _Mending:
    """Evaluates detections and objects some of which are changed or left out."""

    def __init__(self, truth: COCO, found: COCO, matches: Matches) -> None:
        self.matches = matches
        self.detections = _by_id(found, matches.detections.ids)
        self.objects = _by_id(truth, matches.objects.ids)
        ignored = matches.detections.ignored
        self.on_crowds = set(matches.detections.ids[ignored].tolist())
        # Those of the matches are the detections that count: no others come in where
        # some are left out, and none is lost where some change their class. Evaluations
        # take memory for so many in each image: it has to be no more than needed.
        self.max_dets = int(np.bincount(matches.detections.image, minlength=1).max())
        self.truth = with_annotations(truth, self.objects.values())
        self.found = with_annotations(truth, self.detections.values())
        self.before = self._aps(self.truth, self.found)

    def gain(
        self, changes: Mapping[int, _Record | None], lost: Collection[int]
    ) -> float:
        """Return what the mean AP gains; NaN if no class has objects.

        Args:
            changes: New detections by the id of the old one; ``None`` to leave it out.
            lost: Ids of objects to leave out.
        """
        counted = ~np.isnan(self.before)
        if not counted.any():
            return float('nan')
        if not changes and not lost:
            return 0.0
        truth, found = self.truth, self.found
        if changes:
            changed = {**self.detections, **changes}.values()
            found = with_annotations(truth, filter(None, changed))
        if lost:
            left = (x for id_, x in self.objects.items() if id_ not in lost)
            truth = with_annotations(truth, left)
        after = self._aps(truth, found)
        emptied = np.isnan(after) & counted
        if emptied.any():
            after[emptied & self._claimed(found)] = 0
        mean = known_mean(after)
        mean = 1.0 if np.isnan(mean) else mean
        return max(float(mean - known_mean(self.before)), 0.0)

    def _aps(self, truth: COCO, found: COCO) -> np.ndarray:
        return class_aps(
            truth, found, iou_thr=self.matches.iou_thr, max_dets=self.max_dets
        )

    def _claimed(self, found: COCO) -> np.ndarray:
        """Return flags ``(K,)`` of the classes with a detection that is on no crowd."""
        ids = {
            record['category_id']
            for id_, record in found.anns.items()
            if id_ not in self.on_crowds
        }
        return np.isin(self.matches.category_ids, list(ids))


def _by_id(coco: COCO, ids: np.ndarray) -> dict[int, _Record]:
    return dict(zip(ids.tolist(), chosen(coco, ids), strict=True))
