"""Keeps, draws, writes and reports what is found in each frame of a video."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mmdet.structures import DetDataSample

from ..utils.errors import M2DetError
from ..utils.videos import Frame
from ..visualization import draw_predictions, draw_tracks
from .class_choice import ClassChoice
from .prediction_events import Tally
from .predictions import Prediction
from .tracking import ObjectTracker
from .video_events import FrameDone
from .video_folder import VideoFolder


@dataclass
class VideoRun:
    """One pass over the frames.

    Attributes:
        choice: The classes that count, and their lowest scores.
        folder: Where to write; ``None`` for nowhere.
        tracker: Follows objects; ``None`` if they are not followed.
        on_event: Gets a :class:`FrameDone` after each frame.
        tally: How much was found.
        num_failed: Frames that the detector fails with.
    """

    choice: ClassChoice
    folder: VideoFolder | None
    tracker: ObjectTracker | None
    on_event: Callable[[FrameDone], None] | None = None
    tally: Tally = field(default_factory=Tally)
    num_failed: int = 0
    _failure: str = ''

    def take(
        self, frames: Sequence[Frame], samples: Sequence[DetDataSample | str]
    ) -> None:
        """Take what was found in the next frames, or why the detector fails with them.

        Raises:
            M2DetError: If it cannot be written.
        """
        for frame, sample in zip(frames, samples, strict=True):
            done = self._done(frame, sample)
            if self.folder is not None:
                self.folder.add_frame(_entry(done), _picture(frame, done), frame.time)
            if self.on_event is not None:
                self.on_event(done)

    def problem(self) -> str | None:
        """Say at the end which frames the detector has failed with.

        Raises:
            M2DetError: If these are all.
        """
        if self.num_failed and not self.tally.num_images:
            raise M2DetError(
                f'The detector found nothing, for it fails: {self._failure}'
            )
        if self.num_failed:
            others = self.num_failed - 1
            more = f' The same befell {others} other frames.' if others else ''
            return f'{self._failure}{more}'
        return None

    def _done(self, frame: Frame, sample: DetDataSample | str) -> FrameDone:
        if isinstance(sample, str):
            self.num_failed += 1
            problem = (
                f'The detector fails with the frame at {frame.time:.2f} seconds '
                f'({sample}).'
            )
            self._failure = self._failure or problem
            return FrameDone(frame.index, frame.time, None, None, problem)
        found = sample.pred_instances.numpy()
        found = found[self.choice.chosen(found.labels)]
        counts = self.choice.counted(found.labels, found.scores)
        tracks = None
        if self.tracker is not None:
            numbers = self.tracker.follow(found.bboxes, found.scores, frame.time)
            tracks = tuple(numbers[place] for place in np.flatnonzero(counts))
        found = found[counts]
        prediction = Prediction(
            path=None,
            image_id=frame.index + 1,
            boxes=found.bboxes,
            scores=found.scores,
            labels=found.labels,
            classes=self.choice.classes,
            size=frame.image.shape[1::-1],
            held=frame.image,
        )
        self.tally.add([*prediction.names])
        return FrameDone(frame.index, frame.time, prediction, tracks)


def _entry(done: FrameDone) -> dict[str, Any]:
    """Return the line of a frame."""
    entry: dict[str, Any] = {'frame': done.index, 'time': round(done.time, 4)}
    found = done.prediction
    if found is None:
        return {**entry, 'problem': done.problem}
    entry |= {
        'boxes': [[round(side, 2) for side in box] for box in found.boxes.tolist()],
        'labels': found.labels.tolist(),
        'names': [*found.names],
        'scores': [round(score, 5) for score in found.scores.tolist()],
    }
    return entry if done.tracks is None else {**entry, 'tracks': [*done.tracks]}


def _picture(frame: Frame, done: FrameDone) -> np.ndarray:
    found = done.prediction
    if found is None:
        return frame.image
    boxes = (frame.image, found.boxes, found.scores)
    if done.tracks is not None:
        return draw_tracks(*boxes, found.names, done.tracks)
    return draw_predictions(*boxes, found.labels, found.classes, score_thr=0.0)
