"""Which detection is matched with which object, as COCO's evaluation does it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ..compat.coco_eval import even_out
from ..utils.logs import prints_to, quiet_log

# COCO counts this many detections of a class in an image, those of the highest scores.
_MOST = 100


@dataclass(frozen=True)
class Detections:
    """The ``D`` detections that COCO counts, by image, then from the highest score.

    Attributes:
        ids: ``(D,)``, ids of their records.
        image: ``(D,)``, indices in the ``image_ids`` of :class:`Matches`.
        label: ``(D,)``, indices in the ``category_ids`` of :class:`Matches`.
        score: ``(D,)``.
        object: ``(D,)``, the index of the object that each is matched with; -1 if none.
        ignored: ``(D,)``, flags of those that count neither as right nor as wrong, as
            one on a crowd does.
    """

    ids: np.ndarray
    image: np.ndarray
    label: np.ndarray
    score: np.ndarray
    object: np.ndarray
    ignored: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def wrong(self) -> np.ndarray:
        """Flags ``(D,)`` of the false positives."""
        return (self.object < 0) & ~self.ignored


@dataclass(frozen=True)
class Objects:
    """The ``G`` objects of the annotations, by image, then by id.

    Attributes:
        ids: ``(G,)``, ids of their annotations.
        image: ``(G,)``, indices in the ``image_ids`` of :class:`Matches`.
        label: ``(G,)``, indices in the ``category_ids`` of :class:`Matches`.
        detection: ``(G,)``, the index of the detection that each is matched with; -1
            if none. A crowd may be matched with several: one of them.
        ignored: ``(G,)``, flags of those that nobody has to find, as crowds.
    """

    ids: np.ndarray
    image: np.ndarray
    label: np.ndarray
    detection: np.ndarray
    ignored: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def unmatched(self) -> np.ndarray:
        """Flags ``(G,)`` of the false negatives."""
        return (self.detection < 0) & ~self.ignored


class Outcomes(NamedTuple):
    """What a detector finds with a threshold on its scores.

    Attributes:
        right: ``(D,)``, flags of the true positives.
        wrong: ``(D,)``, flags of the false positives.
        missed: ``(G,)``, flags of the objects that are not found.
    """

    right: np.ndarray
    wrong: np.ndarray
    missed: np.ndarray


@dataclass(frozen=True)
class Matches:
    """Detections and objects, and which belong together.

    Attributes:
        iou_thr: The lowest IoU of a match.
        image_ids: Ids of all images, in order.
        category_ids: Ids of all classes, in order.
        classes: Their names.
        detections: The detections.
        objects: The objects.
    """

    iou_thr: float
    image_ids: tuple[Any, ...]
    category_ids: tuple[Any, ...]
    classes: tuple[str, ...]
    detections: Detections
    objects: Objects

    def at(self, score_thr: float) -> Outcomes:
        """Count detections from a score on, and no others.

        Matches are made from the highest score on, so that those above a threshold are
        the same with and without the detections below.
        """
        found, objects = self.detections, self.objects
        taken = found.score >= score_thr
        right = taken & (found.object >= 0) & ~found.ignored
        missed = ~objects.ignored
        missed[found.object[right]] = False
        return Outcomes(right, taken & found.wrong, missed)


def match(
    truth: COCO, found: COCO, *, iou_thr: float = 0.5, by_class: bool = True
) -> Matches:
    """Match detections with objects of their image, from the highest score on.

    Args:
        truth: Annotations, which may change as :func:`.even_out` tells.
        found: Detections, as ``truth.loadRes`` makes them.
        iou_thr: The lowest IoU of a match.
        by_class: Whether a detection is matched only with objects of its class, and
            at most 100 of a class count in an image. Otherwise all are, with any.
    """
    even_out(truth)
    with prints_to(quiet_log()):
        evaluation = COCOeval(truth, found, 'bbox')
        params = evaluation.params
        params.iouThrs = [iou_thr]
        params.areaRng, params.areaRngLbl = params.areaRng[:1], params.areaRngLbl[:1]
        params.useCats = by_class
        params.maxDets = [_MOST if by_class else max(len(found.anns), 1)]
        evaluation.evaluate()
    parts = [part for part in evaluation.evalImgs if part is not None]
    image_ids, category_ids = sorted(truth.imgs), sorted(truth.cats)
    places = _places(image_ids), _places(category_ids)
    detections = _Side.of(parts, 'dt', found, *places)
    objects = _Side.of(parts, 'gt', truth, *places)
    score = [found.anns[id_]['score'] for id_ in detections.ids.tolist()]
    score = np.array(score, dtype=float)
    detections, order = detections.sorted(-score)
    objects, _ = objects.sorted(np.zeros(len(objects.ids)))
    return Matches(
        iou_thr,
        tuple(image_ids),
        tuple(category_ids),
        tuple(truth.cats[id_]['name'] for id_ in category_ids),
        Detections(
            detections.ids,
            detections.image,
            detections.label,
            score[order],
            _index(detections.partner, objects.ids),
            detections.ignored,
        ),
        Objects(
            objects.ids,
            objects.image,
            objects.label,
            _index(objects.partner, detections.ids),
            objects.ignored,
        ),
    )


class _Side(NamedTuple):
    """Detections or objects as COCO's evaluation lists them.

    ``partner`` holds the id of what each is matched with, 0 if nothing.
    """

    ids: np.ndarray
    image: np.ndarray
    label: np.ndarray
    partner: np.ndarray
    ignored: np.ndarray

    @classmethod
    def of(
        cls,
        parts: Sequence[dict[str, Any]],
        side: str,
        coco: COCO,
        images: dict[Any, int],
        labels: dict[Any, int],
    ) -> '_Side':
        """Join the parts of an evaluation, one an image and class."""
        ids = _joined([part[f'{side}Ids'] for part in parts])
        records = [coco.anns[id_] for id_ in ids.tolist()]
        return cls(
            ids,
            np.array([images[record['image_id']] for record in records], dtype=int),
            np.array([labels[record['category_id']] for record in records], dtype=int),
            _joined([part[f'{side}Matches'] for part in parts]),
            _joined([part[f'{side}Ignore'] for part in parts]).astype(bool),
        )

    def sorted(self, rank: np.ndarray) -> tuple['_Side', np.ndarray]:
        """Sort by image, then by rank, then by id; also return the order."""
        order = np.lexsort((self.ids, rank, self.image))
        return _Side(*(column[order] for column in self)), order


def _places(ids: Sequence[Any]) -> dict[Any, int]:
    return {id_: place for place, id_ in enumerate(ids)}


def _joined(parts: Sequence[Any]) -> np.ndarray:
    """Join numbers, those of one threshold, to ``(N,)``, also where there are none."""
    return np.concatenate([[], *map(np.ravel, parts)]).astype(int)


def _index(wanted: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return the index of each wanted id in ``ids``; -1 for the id 0, which is none."""
    found = np.full(len(wanted), -1)
    order = np.argsort(ids)
    some = wanted != 0
    found[some] = order[np.searchsorted(ids, wanted[some], sorter=order)]
    return found
