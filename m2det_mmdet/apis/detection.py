"""What a detector finds in images, of which a bad one costs itself alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import mmcv
import numpy as np
from mmdet.apis import DetInferencer
from mmdet.structures import DetDataSample

from ..utils.errors import clause_of
from ..utils.images import ImageReader, image_problem, read_images
from ..utils.upright import read_upright


@dataclass(frozen=True)
class Detected:
    """An image and what was found in it.

    Attributes:
        path: The image.
        image: BGR, ``(H, W, 3)``; ``None`` if it cannot be read.
        sample: What was found, on the CPU; ``None`` if the detector could not look.
        problem: Why not, in a sentence.
    """

    path: Path
    image: np.ndarray | None = None
    sample: DetDataSample | None = None
    problem: str | None = None


def detect(
    detector: DetInferencer,
    paths: Sequence[Path],
    batch_size: int,
    *,
    read: ImageReader = mmcv.imread,
) -> Iterator[Detected]:
    """Yield each image with what was found in it, as soon as its batch is done.

    Args:
        detector: The detector.
        paths: The images.
        batch_size: Images at a time; where the detector fails with a batch, one.
        read: Reads an image; it is turned as viewers do where that is left.
    """
    batch: dict[Path, np.ndarray] = {}
    read = partial(read_upright, read=read)
    for number, (path, image) in enumerate(read_images(paths, read), start=1):
        if image is None:
            yield Detected(path, problem=f'{path} {image_problem(path)}: skipped.')
        else:
            batch[path] = image
        if batch and (len(batch) == batch_size or number == len(paths)):
            found = detect_together(detector, list(batch.values()))
            for (path, image), sample in zip(batch.items(), found, strict=True):
                if isinstance(sample, str):
                    problem = (
                        f'{path} was skipped: the detector fails with it ({sample}).'
                    )
                    yield Detected(path, image, problem=problem)
                else:
                    yield Detected(path, image, sample)
            batch = {}


def detect_together(
    detector: DetInferencer, images: list[np.ndarray]
) -> list[DetDataSample | str]:
    """Look at the images of a batch together, or at each where that fails.

    Args:
        detector: The detector.
        images: BGR, ``(H, W, 3)``, uint8.

    Returns:
        For each image the boxes on the CPU, or a clause on the failure.
    """
    try:
        samples = detector(
            images, batch_size=len(images), return_datasamples=True, no_save_vis=True
        )['predictions']
        return [_checked(sample.cpu()) for sample in samples]
    except Exception as error:
        reason = clause_of(error)
    if len(images) == 1:
        return [reason]
    return [detect_together(detector, [image])[0] for image in images]


def _checked(sample: DetDataSample) -> DetDataSample | str:
    found = sample.pred_instances
    if found.bboxes.isfinite().all() and found.scores.isfinite().all():
        return sample
    return 'it gives boxes or scores that are no finite numbers'
