"""The errors of a detector by kind.

The kinds are those of `TIDE <https://arxiv.org/abs/2008.08115>`_ (Bolya et al., ECCV
2020).
"""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from pycocotools import mask as masks
from pycocotools.coco import COCO

from .copies import boxes_of
from .matches import Matches

ErrorKind = Literal['class', 'location', 'both', 'duplicate', 'background', 'missed']
# Names of the kinds, in TIDE's order.
ERROR_KINDS: tuple[ErrorKind, ...] = get_args(ErrorKind)

# Up to this IoU with every object a detection lies on the background.
_BACKGROUND = 0.1
# In the order in which the kinds are tried; the last one is what is left.
_OF_DETECTIONS: tuple[ErrorKind, ...] = (
    'location',
    'class',
    'duplicate',
    'background',
    'both',
)
# Kinds of errors on objects that nothing else found: those objects are not missed.
POINTING: tuple[ErrorKind, ...] = ('location', 'class')


class DetectorError(NamedTuple):
    """A wrong detection, or an object that is missed.

    Attributes:
        kind: One of :data:`ERROR_KINDS`.
        image_id: Id of the image.
        detection: Id of the detection; ``None`` for an object that is missed.
        object: Id of the object that it should have been, that it doubles, or, for
            ``both``, that it overlaps most; ``None`` on the background.
        iou: IoU of the two; on the background the highest with any object, and for an
            object that is missed the highest with any detection.
        score: Score of the detection.
        area: Area of the detection, or of the object that is missed, square pixels.
    """

    kind: ErrorKind
    image_id: Any
    detection: int | None
    object: int | None
    iou: float
    score: float | None
    area: float


def find_errors(truth: COCO, found: COCO, matches: Matches) -> list[DetectorError]:
    """Find the kind of each wrong detection, and the objects that are missed.

    The first that holds is the kind of a wrong detection, where ``t`` is the IoU of the
    matches:

    - location: an object of its class at an IoU from 0.1 to ``t``;
    - class: an object of another class at ``t`` or more;
    - duplicate: an object of its class at ``t`` or more, which a better detection has;
    - background: no object above an IoU of 0.1;
    - both: what is left, an object of another class at an IoU below ``t``.

    An object without a detection is missed, unless an error of location or class is on
    it. Crowds, and detections on them, are no errors.

    Args:
        truth: Annotations.
        found: Detections.
        matches: Those of both, by class.

    Returns:
        Errors by image: first detections from the highest score on, then objects.
    """
    finder = _Finder(truth, found, matches)
    images = range(len(matches.image_ids))
    return [error for image in images for error in finder.of_image(image)]


class _Judgement(NamedTuple):
    """What is wrong with each of ``D`` detections of an image.

    Attributes:
        kind: ``(D,)``, indices in ``_OF_DETECTIONS``.
        object: ``(D,)``, indices of the objects that the kind is about.
        iou: ``(D,)``, IoUs with these objects.
    """

    kind: np.ndarray
    object: np.ndarray
    iou: np.ndarray


class _Finder:
    """Finds the errors of one image after the other."""

    def __init__(self, truth: COCO, found: COCO, matches: Matches) -> None:
        self.matches = matches
        self.found_boxes = boxes_of(found, matches.detections.ids)
        self.object_boxes = boxes_of(truth, matches.objects.ids)
        # Both are sorted by image.
        every = np.arange(len(matches.image_ids) + 1)
        self.found_starts = np.searchsorted(matches.detections.image, every)
        self.object_starts = np.searchsorted(matches.objects.image, every)

    def of_image(self, image: int) -> Iterator[DetectorError]:
        """Find the errors of an image, given by its index."""
        found = np.arange(*self.found_starts[image : image + 2])
        objects = np.arange(*self.object_starts[image : image + 2])
        objects = objects[~self.matches.objects.ignored[objects]]
        overlaps = _overlaps(self.found_boxes[found], self.object_boxes[objects])
        wrong = self.matches.detections.wrong[found]
        judged = self._judge(found[wrong], objects, overlaps[wrong])
        yield from self._of_detections(image, found[wrong], objects, judged)
        missed = self.matches.objects.unmatched[objects]
        pointing = [_OF_DETECTIONS.index(kind) for kind in POINTING]
        missed[judged.object[np.isin(judged.kind, pointing)]] = False
        nearest = overlaps[:, missed].max(axis=0, initial=0)
        yield from self._of_objects(image, objects[missed], nearest)

    def _judge(
        self, found: np.ndarray, objects: np.ndarray, overlaps: np.ndarray
    ) -> _Judgement:
        """Tell what is wrong with wrong detections of an image.

        Args:
            found: ``(D,)``, indices of the detections.
            objects: ``(G,)``, indices of the objects.
            overlaps: IoUs ``(D, G)``.
        """
        if not len(objects):
            background = np.full(len(found), _OF_DETECTIONS.index('background'))
            return _Judgement(background, background, np.zeros(len(found)))
        labels = self.matches.detections.label[found], self.matches.objects.label
        same = labels[0][:, None] == labels[1][objects]
        own = overlaps * same
        # The IoUs that each kind looks at, in their order. Objects of its class at the
        # IoU of a match are taken, or the detection would not be wrong.
        looks = np.stack([own, overlaps * ~same, own, overlaps, overlaps])
        nearest, other, _, any_, _ = looks.max(axis=2)
        thr = self.matches.iou_thr
        holds = [
            (nearest >= _BACKGROUND) & (nearest <= thr),
            other >= thr,
            nearest >= thr,
            any_ <= _BACKGROUND,
        ]
        kind = np.select(holds, range(len(holds)), default=len(holds))
        look = looks[kind, np.arange(len(found))]
        return _Judgement(kind, look.argmax(axis=1), look.max(axis=1))

    def _of_detections(
        self,
        image: int,
        found: np.ndarray,
        objects: np.ndarray,
        judged: _Judgement,
    ) -> Iterator[DetectorError]:
        detections, image_id = self.matches.detections, self.matches.image_ids[image]
        object_ids = self.matches.objects.ids[objects].tolist()
        rows = zip(
            detections.ids[found].tolist(),
            *(column.tolist() for column in judged),
            detections.score[found].tolist(),
            _areas(self.found_boxes[found]),
            strict=True,
        )
        for id_, kind, place, iou, score, area in rows:
            name = _OF_DETECTIONS[kind]
            object_id = None if name == 'background' else object_ids[place]
            yield DetectorError(name, image_id, id_, object_id, iou, score, area)

    def _of_objects(
        self, image: int, objects: np.ndarray, nearest: np.ndarray
    ) -> Iterator[DetectorError]:
        image_id = self.matches.image_ids[image]
        rows = zip(
            self.matches.objects.ids[objects].tolist(),
            nearest.tolist(),
            _areas(self.object_boxes[objects]),
            strict=True,
        )
        for id_, iou, area in rows:
            yield DetectorError('missed', image_id, None, id_, iou, None, area)


def _overlaps(found: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """Return the IoU ``(D, G)`` of each box with each, xywh, pixels."""
    shape = len(found), len(objects)
    # The function returns a list where one of the sides is empty.
    return np.reshape(masks.iou(found, objects, [0] * shape[1]), shape)


def _areas(boxes: np.ndarray) -> list[float]:
    return (boxes[:, 2] * boxes[:, 3]).tolist()
