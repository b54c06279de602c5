"""What a prediction tells while it goes on, and what it returns."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from .predictions import Prediction


@dataclass(frozen=True)
class PredictionStarted:
    """The images are known, and the detector is loaded.

    Attributes:
        num_images: How many images there are.
        num_done: How many of them an earlier run has done.
        out: The output folder; ``None`` without one.
        remarks: Sentences on what is left out, and on what an earlier run has left.
    """

    num_images: int
    num_done: int
    out: Path | None
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class ImageDone:
    """An image is done, or was skipped.

    Attributes:
        path: The image; of one of the web, its name in the results.
        done: Images so far, this one included.
        total: How many there are.
        skipped: Whether it has no prediction.
        problem: Why it was skipped or has no picture, in a sentence.
        prediction: What was found; ``None`` if it was skipped.
    """

    path: Path
    done: int
    total: int
    skipped: bool
    problem: str | None = None
    prediction: Prediction | None = None


@dataclass
class Tally:
    """How much was found, at the lowest scores of the classes.

    Attributes:
        num_images: Images that are done.
        num_found: Those of them with an object.
        counts: Objects by the names of their classes.
    """

    num_images: int = 0
    num_found: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, names: list[str]) -> None:
        """Count an image with objects of these classes."""
        self.num_images += 1
        self.num_found += bool(names)
        self.counts.update(names)


@dataclass(frozen=True)
class PredictionResult:
    """What was found in all images.

    Attributes:
        predictions: One an image, in the order of the inputs; none with ``keep=False``
            and none of images that an earlier run has done.
        skipped: Images without a prediction: they could not be read, or the detector
            failed with them.
        results: The JSON that was written; ``None`` without an output folder.
        pictures: The folder of pictures that were drawn; likewise.
        problems: A sentence for each image that was skipped, has no picture or no
            labels.
        out: The output folder; ``None`` without one.
        files: Names of what was written into it.
        tally: How much was found.
    """

    predictions: list[Prediction]
    skipped: list[Path]
    results: Path | None
    pictures: Path | None
    problems: dict[Path, str] = field(default_factory=dict)
    out: Path | None = None
    files: tuple[str, ...] = ()
    tally: Tally = field(default_factory=Tally)
