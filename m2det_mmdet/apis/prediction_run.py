"""Keeps, writes and reports what is found in each image, as soon as it is known."""

import errno
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mmengine.structures import InstanceData

from ..evaluation.coco_records import CocoIds, to_records
from ..evaluation.prediction_log import Entry
from ..utils.files import write_whole
from ..utils.predicted import PICTURES
from .class_choice import ClassChoice
from .prediction_events import ImageDone, PredictionResult, Tally
from .prediction_folder import PredictionFolder
from .prediction_inputs import InputImage, PredictionInputs
from .prediction_look import Looked, counted, no_picture
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
    _predictions: dict[str, Prediction] = field(default_factory=dict)
    _skipped: set[str] = field(default_factory=set)
    _problems: dict[str, str] = field(default_factory=dict)
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

    def collect(self, looked: Iterable[Looked]) -> None:
        """Take what is found in all images, in any order.

        Raises:
            M2DetError: If the results cannot be written.
        """
        total = self.num_done + len(self.inputs)
        for found in looked:
            image, problem, prediction = found.image, found.problem, None
            if found.sample is None:
                self._skipped.add(image.name)
            else:
                prediction = to_prediction(
                    found.sample,
                    image.image_id,
                    self.choice.classes,
                    path=image.path,
                    size=found.size,
                )
                self.tally.add(
                    _names(counted(found.sample, self.choice), self.choice.classes)
                )
                if self.keep:
                    self._predictions[image.name] = prediction
                if self.folder is not None:
                    problem = self._write(found)
            self.num_done += 1
            if problem is not None:
                self._note(image, problem)
            if self.on_event is not None:
                event = (image.path, self.num_done, total, prediction is None, problem)
                self.on_event(ImageDone(*event, prediction))

    def result(self) -> PredictionResult:
        """Return what was found, in the order of the images; after the folder's end."""
        folder, images = self.folder, self.inputs.images
        found, problems = self._predictions, dict(self._problems)
        if folder is not None:
            problems = {**folder.problems, **problems}
        return PredictionResult(
            [found[image.name] for image in images if image.name in found],
            [image.path for image in images if image.name in self._skipped],
            results=None if folder is None else folder.results,
            pictures=None if folder is None else folder.path / PICTURES,
            problems={x.path: problems[x.name] for x in images if x.name in problems},
            out=None if folder is None else folder.path,
            files=() if folder is None else folder.written(),
            tally=self.tally,
        )

    def _note(self, image: InputImage, problem: str) -> None:
        self._problems[image.name] = problem
        if self.folder is not None:
            self.folder.problems[image.name] = problem

    def _write(self, found: Looked) -> str | None:
        """Write what was found; return why there is no picture, if there is none."""
        self.folder.begin()
        image, problem = found.image, found.problem
        if found.picture is not None:
            problem = self._write_picture(image, found.picture)
        width, height = found.size
        entry = {
            'file_name': image.name,
            'image_id': image.image_id,
            'width': width,
            'height': height,
            'records': to_records(
                found.sample.pred_instances, image.image_id, image.name, self.ids
            ),
        }
        self.folder.add(entry if problem is None else {**entry, 'problem': problem})
        return problem

    def _write_picture(self, image: InputImage, content: bytes) -> str | None:
        """Write a picture, before the entry that says that the image is done."""
        path = self.folder.picture(image.name)
        try:
            write_whole(path, lambda file: file.write(content))
        except Exception as error:
            if _is_full(error):
                raise
            return no_picture(image, error)
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
