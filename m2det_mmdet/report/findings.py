"""All that a report tells of a detector, as figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from pycocotools.coco import COCO

from ..analysis.anchors import AnchorFit, fit_of
from ..analysis.training_record import TrainingRecord
from ..datasets.layouts.folder import DataFolder, Part
from ..evaluation.confidence import ConfidenceCurves, by_confidence
from ..evaluation.confusion import ConfusionMatrix, confusion
from ..evaluation.error_costs import ErrorCost, error_costs
from ..evaluation.errors import DetectorError, find_errors
from ..evaluation.figures import BoxFigures, box_figures
from ..evaluation.images import ImageFigures, image_figures
from ..evaluation.matches import Matches, match
from ..utils.errors import M2DetError
from ..utils.images import ImageReader, common_folder

# Where nothing is right at any score; as `m2det predict` draws.
_USUAL_THRESHOLD = 0.3


@dataclass(frozen=True)
class EvaluatedDetector:
    """A detector, images with ground truth, and what it found in them.

    Attributes:
        name: What the detector is called.
        cfg: Its config, with the data as its test data.
        checkpoint: Its checkpoint.
        parameters: How many numbers it has learned.
        split: ``train``, ``val``, ``test``, or ``all`` of a folder.
        data: Where annotations and images come from, in words.
        data_problems: What of them was left out or repaired, a sentence each.
        truth: Ground truth, of :func:`.truth_of`; ``file_name`` is the path.
        found: What was found, of :func:`.found_in`.
        read: Reads an image.
        record: The course of the training; empty where it is not known.
        learned_from: How many of the images the detector has learned from.
        chosen_on: Whether the checkpoint was chosen by its AP on these images.
        seconds: How long it took to detect.
    """

    name: str
    cfg: Config
    checkpoint: str
    parameters: int
    split: str
    data: str
    data_problems: tuple[str, ...]
    truth: COCO
    found: COCO
    read: ImageReader
    record: TrainingRecord
    learned_from: int
    chosen_on: bool
    seconds: float

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return tuple(x['name'] for x in self.truth.dataset['categories'])

    @cached_property
    def folder(self) -> Path:
        """The deepest folder that holds all images."""
        return common_folder([Path(x['file_name']) for x in self.truth.imgs.values()])

    def image_name(self, image_id: int) -> str:
        """Name of an image below the folder of all of them."""
        path = Path(self.truth.imgs[image_id]['file_name'])
        return path.relative_to(self.folder).as_posix()


@dataclass(frozen=True)
class Findings:
    """What an evaluation shows.

    Attributes:
        figures: COCO's figures.
        matches: Which detection is matched with which object.
        confidence: Precision, recall and F1 by threshold.
        score_thr: The threshold of the best F1, at which a person would look.
        confusion: Which class is taken for which, at that threshold.
        errors: The errors by kind, at any score.
        costs: What each kind costs.
        images: What is found in each image, at the threshold.
        anchors: How well the anchors fit the objects; ``None`` for a detector without.
    """

    figures: BoxFigures
    matches: Matches
    confidence: ConfidenceCurves
    score_thr: float
    confusion: ConfusionMatrix
    errors: list[DetectorError]
    costs: Mapping[str, ErrorCost]
    images: list[ImageFigures]
    anchors: AnchorFit | None


def find_out(data: EvaluatedDetector) -> Findings:
    """Compute all figures of an evaluation.

    Raises:
        M2DetError: If there is no object to find.
    """
    truth, found = data.truth, data.found
    if all(item.get('iscrowd') for item in truth.dataset['annotations']):
        raise M2DetError(
            f'{data.data} has no object to find ({data.split}): choose another split, '
            'or label its images.'
        )
    figures = box_figures(truth, found)
    matches = match(truth, found)
    confidence = by_confidence(matches)
    best = confidence.best_thr
    score_thr = _USUAL_THRESHOLD if best is None else best
    errors = find_errors(truth, found, matches)
    return Findings(
        figures,
        matches,
        confidence,
        score_thr,
        confusion(truth, found, matches, score_thr=score_thr),
        errors,
        error_costs(truth, found, matches, errors),
        image_figures(matches, score_thr=score_thr),
        _anchors(data),
    )


def _anchors(data: EvaluatedDetector) -> AnchorFit | None:
    # Its objects are those that a fit looks at.
    part = Part(data.folder, data.truth.dataset)
    folder = DataFolder(data.folder, 'coco', data.classes, {'train': part})
    try:
        return fit_of(data.cfg, folder)
    except M2DetError:
        # Without anchors, or where no size of the input is known.
        return None


def boxes_of(coco: COCO, image_id: int) -> dict[int, dict[str, Any]]:
    """Return objects or detections of an image by their ids, crowds left out."""
    return {
        item['id']: item
        for item in coco.imgToAnns.get(image_id, ())
        if not item.get('iscrowd')
    }


def corners(items: list[dict[str, Any]]) -> np.ndarray:
    """Return boxes of objects or detections, ``(N, 4)``, xyxy, pixels."""
    boxes = np.array([item['bbox'] for item in items], dtype=float).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes
