"""Keeps, writes and reports what is found in each image, as soon as it is known."""

import errno
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from ..evaluation.coco_records import CocoIds, to_records
from ..evaluation.prediction_log import Entry
from ..utils.errors import clause_of
from ..utils.images import write_picture
from ..utils.predicted import PICTURES
from ..visualization import draw_predictions
from .class_choice import ClassChoice
from .detection import Detected
from .prediction_events import ImageDone, PredictionResult, Tally
from .prediction_folder import PredictionFolder
from .prediction_inputs import InputImage, PredictionInputs
from .predictions import Prediction, to_prediction

# What every further picture would meet, too.
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT)


@dataclass
class PredictionRun:
    """One pass over the images.

    Attributes:
        inputs: The images.
        folder: Where to write; ``None`` for nowhere.
        choice: The classes that count, and their lowest scores.
        ids: Ids of the classes.
        keep: Whether predictions are held.
        on_event: Gets an :class:`ImageDone` after each image.
        tally: How much was found.
        num_done: Images that are done or skipped, those of an earlier run included.
    """

    inputs: PredictionInputs
    folder: PredictionFolder | None
    choice: ClassChoice
    ids: CocoIds
    keep: bool = True
    on_event: Callable[[ImageDone], None] | None = None
    tally: Tally = field(default_factory=Tally)
    _predictions: list[Prediction] = field(default_factory=list)
    _skipped: list[Path] = field(default_factory=list)
    _problems: dict[Path, str] = field(default_factory=dict)
    num_done: int = 0

    def go_on(self, entries: Iterable[Entry]) -> None:
        """Count the images that an earlier run has done, and leave them out.

        Args:
            entries: What it has found.
        """
        lowest = self.choice.lowest()
        done = {}
        for entry in entries:
            done[entry['file_name']] = entry.get('problem')
            self.tally.add(
                [
                    record['category_name']
                    for record in entry['records']
                    if record['score'] >= lowest[record['category_name']]
                ]
            )
        for image in self.inputs.leave_out(done):
            if done[image.name] is not None:
                self._note(image, done[image.name])
        self.num_done = len(done)

    def collect(self, detected: Iterable[Detected]) -> None:
        """Take what is found in all images.

        Raises:
            M2DetError: If the results cannot be written.
        """
        total = self.num_done + len(self.inputs)
        for found in detected:
            image, problem = self.inputs.take(found.path, found.problem)
            prediction = None
            if found.sample is None:
                self._skipped.append(image.path)
            else:
                sample = self._chosen(found.sample)
                chosen = replace(found, path=image.path, sample=sample)
                prediction = to_prediction(chosen, image.image_id, self.choice.classes)
                self.tally.add(_names(self._counted(sample), self.choice.classes))
                if self.keep:
                    self._predictions.append(prediction)
                if self.folder is not None:
                    problem = self._write(found.image, sample, image)
            self.num_done += 1
            if problem is not None:
                self._note(image, problem)
            if self.on_event is not None:
                event = (image.path, self.num_done, total, prediction is None, problem)
                self.on_event(ImageDone(*event, prediction))

    def result(self) -> PredictionResult:
        """Return what was found; after the folder is closed."""
        folder = self.folder
        if folder is not None:
            for image in self.inputs.images:
                if (problem := folder.problems.get(image.name)) is not None:
                    self._problems.setdefault(image.path, problem)
        return PredictionResult(
            self._predictions,
            self._skipped,
            results=None if folder is None else folder.results,
            pictures=None if folder is None else folder.path / PICTURES,
            problems=self._problems,
            out=None if folder is None else folder.path,
            files=() if folder is None else folder.written(),
            tally=self.tally,
        )

    def _note(self, image: InputImage, problem: str) -> None:
        self._problems[image.path] = problem
        if self.folder is not None:
            self.folder.problems[image.name] = problem

    def _chosen(self, sample: DetDataSample) -> DetDataSample:
        """Return what was found of the classes that are kept."""
        found = sample.pred_instances
        kept = torch.from_numpy(self.choice.chosen(found.labels.numpy()))
        return DetDataSample(pred_instances=found[kept])

    def _counted(self, sample: DetDataSample) -> InstanceData:
        """Return what was found with scores that are high enough."""
        found = sample.pred_instances
        counted = self.choice.counted(found.labels.numpy(), found.scores.numpy())
        return found[torch.from_numpy(counted)]

    def _write(
        self, pixels: np.ndarray, sample: DetDataSample, image: InputImage
    ) -> str | None:
        """Write what was found; return why there is no picture, if there is none."""
        self.folder.begin()
        problem = self._draw(pixels, sample, image)
        height, width = pixels.shape[:2]
        entry = {
            'file_name': image.name,
            'image_id': image.image_id,
            'width': width,
            'height': height,
            'records': to_records(
                sample.pred_instances, image.image_id, image.name, self.ids
            ),
        }
        self.folder.add(entry if problem is None else {**entry, 'problem': problem})
        return problem

    def _draw(
        self, pixels: np.ndarray, sample: DetDataSample, image: InputImage
    ) -> str | None:
        """Write a picture, before the entry that says that the image is done."""
        found = self._counted(sample).numpy()
        boxes = (found.bboxes, found.scores, found.labels)
        try:
            picture = draw_predictions(
                pixels, *boxes, self.choice.classes, score_thr=0.0
            )
            write_picture(self.folder.picture(image.name), picture)
        except Exception as error:
            if _is_full(error):
                raise
            reason = clause_of(error)
            return f'{image.source} has no picture: drawing it fails ({reason}).'
        return None


def _names(found: InstanceData, classes: Sequence[str]) -> list[str]:
    return [classes[label] for label in found.labels.tolist()]


def _is_full(error: BaseException | None) -> bool:
    """Whether an error is that of a full disk, or followed one."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            return True
        error = error.__cause__ or error.__context__
    return False
