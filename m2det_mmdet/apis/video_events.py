"""What a prediction of a video tells while it goes on, and what it returns."""

from dataclasses import dataclass, field
from pathlib import Path

from .prediction_events import Tally
from .predictions import Prediction


@dataclass(frozen=True)
class VideoStarted:
    """The video is open, and the detector is loaded.

    Attributes:
        video: Path, number of the camera or address, without a password.
        num_frames: Frames that the file announces; ``None`` where that is not known.
        rate: Frames a second.
        size: Width and height, pixels.
        is_live: Whether it is a camera or a stream.
        out: The output folder; ``None`` without one.
        remarks: Sentences on what is left out, and on what an earlier run has left.
    """

    video: str
    num_frames: int | None
    rate: float
    size: tuple[int, int]
    is_live: bool
    out: Path | None
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class FrameDone:
    """A frame is done.

    Attributes:
        index: Its place among the frames that could be read, from 0 on.
        time: Seconds since the beginning; of a live source since the first frame.
        prediction: What was found of the classes that count, from their lowest scores
            on; its ``image`` is the frame. ``None`` if the detector fails with it.
        tracks: The number of each object, from 1 on, or ``None`` for one that is not
            followed yet; ``None`` if objects are not followed.
        problem: Why there is no prediction, in a sentence.
    """

    index: int
    time: float
    prediction: Prediction | None
    tracks: tuple[int | None, ...] | None = None
    problem: str | None = None


@dataclass
class VideoResult:
    """What was found in a video.

    Attributes:
        tally: Frames that are done, and how much was found in them.
        dropped: Frames of a live source that came while others were looked at.
        objects: How many objects were followed; ``None`` if none were to be.
        problems: Sentences on frames that are missing, on those that the detector fails
            with, and on the sound.
        out: The output folder; ``None`` without one.
        results: The JSON lines that were written; likewise.
        video: The video that was written; likewise.
        files: Names of what was written into the folder.
    """

    tally: Tally = field(default_factory=Tally)
    dropped: int = 0
    objects: int | None = None
    problems: list[str] = field(default_factory=list)
    out: Path | None = None
    results: Path | None = None
    video: Path | None = None
    files: tuple[str, ...] = ()
