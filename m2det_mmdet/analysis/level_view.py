"""Which anchor found an object, and what each level of MLFPN gave to its score."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from mmdet.models.detectors import BaseDetector
from mmdet.structures.bbox import bbox_overlaps
from torch import Tensor

from ..models.task_modules.priors import grid_priors
from ..models.utils.image_sizes import covered_part, in_images, padded_size
from .levels import LevelScores, split_levels

# Boxes of an object's class that overlap it so much speak for the same object.
_SAME = 0.5


@dataclass(frozen=True)
class FiredAnchor:
    """An anchor that fired.

    Attributes:
        box: The anchor, xyxy, pixels of the image.
        scale: Number of its map, the largest is 0.
        cell: Row and column in the map.
        score: Its score of the class, 0..1, before suppression.
    """

    box: tuple[float, ...]
    scale: int
    cell: tuple[int, int]
    score: float


@dataclass(frozen=True)
class ExplainedObject:
    """An object that was found, and what made its score.

    ``sum(levels) + constant`` is ``logit``, and ``sum(evidence) + constant_evidence``
    what the class has more than the background (with a sigmoid the same number).

    Attributes:
        box: xyxy, pixels of the image.
        score: 0..1, as the detector gives it; soft-NMS may have lowered it.
        label: Place in the classes.
        name: Name of its class.
        logit: Score of the class before the activation.
        constant: What of it the pyramid does not give.
        levels: What of it each level gives.
        evidence: What each level gives for the class and against the background.
        constant_evidence: The same that the pyramid does not give.
        anchors: Those that found it, the one whose box this is first; the others
            predicted boxes of the same class that overlap it by half (IoU), the best
            score first.
    """

    box: tuple[float, ...]
    score: float
    label: int
    name: str
    logit: float
    constant: float
    levels: tuple[float, ...]
    evidence: tuple[float, ...]
    constant_evidence: float
    anchors: tuple[FiredAnchor, ...]

    @property
    def scale(self) -> int:
        """Number of the map that found it, the largest is 0."""
        return self.anchors[0].scale


class LevelView:
    """What a detector with MLFPN sees in an image.

    Args:
        model: A detector for which :func:`.check_levels` passes, in the mode of a test.
        images: ``(1, 3, H, W)``, as its data preprocessor gives them.
        metas: Meta information of the image.
        classes: Their names.

    Attributes:
        split: The scores and what makes them.
        covered: Which part of the input's height and width the image takes.

    Raises:
        LevelsError: If the scores of the detector are no sum over levels.
    """

    def __init__(
        self,
        model: BaseDetector,
        images: Tensor,
        metas: list[dict],
        classes: Sequence[str],
    ) -> None:
        self._classes = classes
        self.split: LevelScores = split_levels(model, images)
        head = model.bbox_head
        size = padded_size(metas)
        with torch.no_grad():
            boxes, scores = head.decode(*self.split.outputs[:2], size)
            found = head.predict_by_feat(
                *self.split.outputs, batch_img_metas=metas, rescale=True
            )
        fit = {'clip': head.clips_boxes, 'rescale': True}
        self._boxes = in_images(boxes, metas, **fit)[0]
        self._scores = scores[0]
        self._evidence = self.split.evidence[:, 0]
        anchors = grid_priors(
            head.prior_generator, self.split.sizes, size, boxes.dtype, boxes.device
        )
        joined = torch.cat(anchors)[None]
        self._anchors = in_images(joined, metas, clip=False, rescale=True)[0]
        self._shapes = head.num_base_priors
        self._found = found[0]
        self.covered = covered_part(metas)

    def objects(self, score_thr: float) -> list[ExplainedObject]:
        """Return the objects with at least this score, the best first."""
        found = self._found[self._found.scores >= score_thr]
        # Without suppression they come in the order of the anchors.
        found = found[found.scores.argsort(descending=True, stable=True)]
        return [
            self._explain(box, float(score), int(label))
            for box, score, label in zip(
                found.bboxes, found.scores, found.labels, strict=True
            )
        ]

    def heat(self, label: int) -> list[np.ndarray]:
        """Return what each level gives for a class over the image.

        Each cell tells of its anchor with the highest score of the class.

        Returns:
            For each scale ``(levels, h, w)``, as ``evidence`` of an object.
        """
        maps, start = [], 0
        for (height, width), count in zip(self.split.sizes, self._shapes, strict=True):
            stop = start + height * width * count
            scores = self._scores[start:stop, label].view(-1, count)
            own = self._evidence[:, start:stop, label].unflatten(1, (-1, count))
            best = scores.argmax(dim=1)
            chosen = own[:, torch.arange(len(best)), best]
            maps.append(chosen.unflatten(1, (height, width)).cpu().numpy())
            start = stop
        return maps

    def _explain(self, box: Tensor, score: float, label: int) -> ExplainedObject:
        own = self._scores[:, label]
        # Of equal boxes, as at a border, the one that scores best.
        distances = (self._boxes - box).abs().amax(dim=1)
        nearest = distances == distances.min()
        place = int(own.masked_fill(~nearest, -1).argmax())
        overlaps = bbox_overlaps(box[None], self._boxes)[0]
        others = ((overlaps >= _SAME) & (own >= score)).nonzero()[:, 0]
        others = others[own[others].argsort(descending=True)].tolist()
        split = self.split
        logit, constant = split.scores[0, place], split.constant[0, place]
        background = 0 if split.sigmoid else constant[-1]
        return ExplainedObject(
            box=tuple(box.tolist()),
            score=score,
            label=label,
            name=self._classes[label],
            logit=float(logit[label]),
            constant=float(constant[label]),
            levels=tuple(split.parts[:, 0, place, label].tolist()),
            evidence=tuple(self._evidence[:, place, label].tolist()),
            constant_evidence=float(constant[label] - background),
            anchors=tuple(
                self._anchor(x, float(own[x]))
                for x in [place, *(x for x in others if x != place)]
            ),
        )

    def _anchor(self, place: int, score: float) -> FiredAnchor:
        lengths = [
            height * width * shapes
            for (height, width), shapes in zip(
                self.split.sizes, self._shapes, strict=True
            )
        ]
        ends = [*accumulate(lengths)]
        scale = bisect_right(ends, place)
        cell = (place - ends[scale] + lengths[scale]) // self._shapes[scale]
        box = tuple(self._anchors[place].tolist())
        width = self.split.sizes[scale][1]
        return FiredAnchor(box, scale, divmod(cell, width), score)
