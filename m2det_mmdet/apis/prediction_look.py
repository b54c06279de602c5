"""What is done with each image of a prediction, here or in another process."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mmcv
import numpy as np
import torch
from mmdet.apis import DetInferencer
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData

from ..utils.errors import M2DetError, clause_of
from ..utils.images import ImageReader, encode_picture
from ..visualization import draw_predictions
from .checks import check_test_pipeline, make_faster
from .class_choice import ClassChoice
from .detection import detect
from .image_loading import take_reader
from .inferencer import build_inferencer
from .prediction_inputs import InputImage, PredictionInputs
from .tiling import TiledInferencer

# Gives the path of the picture of an image, by its name.
Pictures = Callable[[str], Path]


@dataclass(frozen=True)
class Looked:
    """An image that was looked at, without its pixels.

    Attributes:
        image: The image.
        size: Width and height, pixels; ``None`` if it cannot be read.
        sample: What was found of the classes that are kept, on the CPU: ``bboxes``,
            ``scores`` and ``labels``; ``None`` if the detector could not look.
        picture: The content of its picture; ``None`` if there is none.
        problem: Why something is missing, in a sentence.
    """

    image: InputImage
    size: tuple[int, int] | None = None
    sample: DetDataSample | None = None
    picture: bytes | None = None
    problem: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the detector fails with the image, which can be read."""
        return self.size is not None and self.sample is None


@dataclass(frozen=True)
class DetectorPlan:
    """How a detector is built.

    Attributes:
        cfg: Its config.
        checkpoint: Path, URL or name of the zoo; or an exported file.
        device: ``'cpu'``, ``'cuda'``, ...; the best there is by default.
        acceleration: Options that make it faster.
        tile: Size of tiles, pixels, and the part of one that the next has, too;
            ``None`` without tiles.
        contents: The file of the checkpoint, where it has to travel, and what else
            belongs to it, by their names.
    """

    cfg: Config
    checkpoint: str
    device: str | None = None
    acceleration: Mapping[str, Any] = field(default_factory=dict)
    tile: tuple[int, float] | None = None
    contents: Mapping[str, bytes] = field(default_factory=dict)

    def build(self) -> 'BuiltDetector':
        """Build it; the config is changed.

        Raises:
            M2DetError: If it does not build, or the checkpoint does not fit.
        """
        check_test_pipeline(self.cfg)
        read = take_reader(self.cfg)
        with TemporaryDirectory(prefix='m2det-') as folder:
            for name, content in self.contents.items():
                Path(folder, name).write_bytes(content)
            file = Path(folder, Path(self.checkpoint).name)
            place = file if self.contents else self.checkpoint
            detector = build_inferencer(self.cfg, place, self.device)
        if self.acceleration:
            make_faster(detector.model, dict(self.acceleration))
        look = detector if self.tile is None else TiledInferencer(detector, *self.tile)
        classes = tuple(detector.model.dataset_meta['classes'])
        return BuiltDetector(look, read, classes)


@dataclass(frozen=True)
class BuiltDetector:
    """A detector, and what reads its images.

    Attributes:
        look: Is called as mmdet's ``DetInferencer``.
        read: Reads an image.
        classes: Names of its classes.
    """

    look: DetInferencer | TiledInferencer
    read: ImageReader = mmcv.imread
    classes: tuple[str, ...] = ()

    def look_at(
        self,
        inputs: PredictionInputs,
        choice: ClassChoice,
        batch_size: int,
        pictures: Pictures | None,
    ) -> Iterator[Looked]:
        """Yield each image as soon as its batch is done.

        Args:
            inputs: The images.
            choice: The classes that count, and their lowest scores.
            batch_size: Images at a time.
            pictures: Gives the paths of pictures; ``None`` without pictures.
        """
        for found in detect(self.look, inputs, batch_size, read=self.read):
            image, problem = inputs.take(found.path, found.problem)
            size = None if found.image is None else found.image.shape[1::-1]
            if found.sample is None:
                yield Looked(image, size, problem=problem)
                continue
            sample, picture = _chosen(found.sample, choice), None
            if pictures is not None:
                path = pictures(image.name)
                try:
                    picture = encode_picture(path, _draw(found.image, sample, choice))
                except Exception as error:
                    problem = no_picture(image, error)
            yield Looked(image, size, sample, picture, problem)


def unless_all_fail(looked: Iterable[Looked]) -> Iterator[Looked]:
    """Yield images that were looked at.

    Raises:
        M2DetError: At the end, if the detector has failed with each of them.
    """
    failure, worked = None, False
    for found in looked:
        worked = worked or found.sample is not None
        if found.failed:
            failure = found.problem
        yield found
    if failure is not None and not worked:
        raise M2DetError(f'The detector found nothing, for it fails: {failure}')


def no_picture(image: InputImage, error: Exception) -> str:
    """Say in a sentence that an image has no picture."""
    reason = clause_of(error)
    return f'{image.source} has no picture: drawing it fails ({reason}).'


def counted(sample: DetDataSample, choice: ClassChoice) -> InstanceData:
    """Return what was found with scores that are high enough."""
    found = sample.pred_instances
    is_counted = choice.counted(found.labels.numpy(), found.scores.numpy())
    return found[torch.from_numpy(is_counted)]


def _chosen(sample: DetDataSample, choice: ClassChoice) -> DetDataSample:
    """Return what was found of the classes that are kept."""
    found = sample.pred_instances
    boxes = InstanceData(bboxes=found.bboxes, scores=found.scores, labels=found.labels)
    kept = torch.from_numpy(choice.chosen(found.labels.numpy()))
    return DetDataSample(pred_instances=boxes[kept])


def _draw(pixels: np.ndarray, sample: DetDataSample, choice: ClassChoice) -> np.ndarray:
    found = counted(sample, choice).numpy()
    boxes = (found.bboxes, found.scores, found.labels)
    return draw_predictions(pixels, *boxes, choice.classes, score_thr=0.0)
