"""What was found in an image, and what people do with it."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from ..evaluation.coco_records import CocoIds, to_records
from ..utils.errors import M2DetError, our_errors
from ..utils.found_object import FoundObject
from ..utils.images import ImageReader, check_picture, write_picture
from ..utils.texts import shown
from ..utils.upright import read_file, read_upright
from ..visualization import draw_predictions
from .checks import check_fraction
from .class_choice import ClassChoice

if TYPE_CHECKING:
    import supervision


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """What was found in an image.

    It has a length, the number of objects, and can be iterated over: it gives a
    :class:`.FoundObject` each.

    Attributes:
        path: The image; ``None`` if it was no file.
        image_id: Its id in the results.
        boxes: ``(K, 4)``, xyxy, pixels of the image as viewers show it; the best score
            first.
        scores: ``(K,)``, from 0 to 1.
        labels: ``(K,)``, places in ``classes``.
        classes: Names of all classes of the detector.
        size: Width and height of the image, pixels.
        held: The image, BGR, ``(H, W, 3)``, where it was no file. It is the array that
            the caller gave, not a copy.
        reader: Reads the image again from its path.
    """

    path: Path | None
    image_id: int
    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    size: tuple[int, int]
    held: np.ndarray | None = None
    reader: ImageReader = field(default=read_upright)

    @property
    def names(self) -> tuple[str, ...]:
        """Name of the class of each object."""
        return tuple(self.classes[label] for label in self.labels)

    @property
    def image(self) -> np.ndarray:
        """The image, BGR, ``(H, W, 3)``; read again each time where it is a file.

        Raises:
            M2DetError: If the file has gone, or has another size now.
        """
        if self.held is not None:
            return self.held
        image = read_file(self.path, self.reader)
        if image.shape[1::-1] != self.size:
            raise M2DetError(
                f'{self.path} has another size than when objects were found in it: '
                'call the detector again.'
            )
        return image

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[FoundObject]:
        rows = (self.boxes.tolist(), self.scores.tolist(), self.labels.tolist())
        for box, score, label in zip(*rows, strict=True):
            yield FoundObject(tuple(box), score, label, self.classes[label])

    def __repr__(self) -> str:
        width, height = self.size
        found = ', '.join(f'{count} {name}' for name, count in self.counts().items())
        name = 'an image' if self.path is None else self.path.name
        return f'<Prediction of {name} ({width}x{height}): {found or "nothing"}>'

    def filter(
        self,
        score_thr: float | Mapping[str, float] = 0.0,
        classes: Sequence[str] | None = None,
    ) -> 'Prediction':
        """Return the prediction with some of its objects alone.

        Args:
            score_thr: Lowest score; or lowest scores of single classes by their names,
                of which others keep all.
            classes: Names of the classes to keep; all by default.

        Raises:
            M2DetError: If a score is not from 0 to 1, or there is no such class.
        """
        by_class = isinstance(score_thr, Mapping)
        choice = ClassChoice(
            self.classes,
            0.0 if by_class else score_thr,
            score_thr if by_class else None,
            classes,
        )
        kept = choice.counted(self.labels, self.scores)
        return replace(
            self,
            boxes=self.boxes[kept],
            scores=self.scores[kept],
            labels=self.labels[kept],
        )

    def counts(self) -> dict[str, int]:
        """Count the objects by the names of their classes, the most first."""
        return dict(Counter(self.names).most_common())

    def plot(self, *, score_thr: float = 0.3) -> np.ndarray:
        """Draw the objects into a copy of the image.

        Args:
            score_thr: Lowest score to draw.

        Returns:
            BGR, ``(H, W, 3)``, uint8.

        Raises:
            M2DetError: If the score is not from 0 to 1; and as :attr:`image`.
        """
        check_fraction('score_thr', score_thr)
        return draw_predictions(
            self.image,
            self.boxes,
            self.scores,
            self.labels,
            self.classes,
            score_thr=score_thr,
        )

    @our_errors()
    def save(self, path: str | Path, *, score_thr: float = 0.3) -> Path:
        """Write a picture of the objects whole or not at all, and return its path.

        Args:
            path: Where to write, as ``.jpg`` or ``.png``; a file there is replaced.
            score_thr: Lowest score to draw.

        Raises:
            M2DetError: If it cannot be written, or is the image itself; and as
                :meth:`plot`.
        """
        if not isinstance(path, str | os.PathLike):
            raise M2DetError(f'A picture is named by a path, got {shown(path)}.')
        path = Path(os.path.expanduser(path))
        check_picture(path)
        if self.path is not None and path.exists() and path.samefile(self.path):
            raise M2DetError(f'{path} is the image itself: give another name.')
        write_picture(path, self.plot(score_thr=score_thr))
        return path

    def to_coco(self) -> list[dict[str, Any]]:
        """Return records of COCO's results format, as ``m2det predict`` writes them.

        Returns:
            A record an object, with ``image_id``, ``category_id``, ``category_name``,
            ``bbox`` (x, y, width, height in pixels) and ``score``; and ``file_name``
            where the image is a file.
        """
        instances = InstanceData(
            bboxes=torch.from_numpy(self.boxes),
            scores=torch.from_numpy(self.scores),
            labels=torch.from_numpy(self.labels),
        )
        name = '' if self.path is None else self.path.name
        records = to_records(instances, self.image_id, name, CocoIds(self.classes))
        for record, class_name in zip(records, self.names, strict=True):
            record['category_name'] = class_name
            if self.path is None:
                del record['file_name']
        return records

    def to_supervision(self) -> 'supervision.Detections':
        """Return the objects as the package ``supervision`` has them.

        Returns:
            Its ``Detections``, with the names of the classes as ``class_name``.

        Raises:
            M2DetError: If the package is not installed.
        """
        try:
            from supervision import Detections
        except ImportError as error:
            raise M2DetError(
                'supervision is not installed: pip install supervision.'
            ) from error
        return Detections(
            xyxy=self.boxes.copy(),
            confidence=self.scores.copy(),
            class_id=self.labels.copy(),
            data={'class_name': np.array(self.names, dtype=str)},
        )


def to_prediction(
    sample: DetDataSample, image_id: int, classes: Sequence[str], **how: Any
) -> Prediction:
    """Return what was found in an image that the detector could look at.

    Args:
        sample: What was found, on the CPU.
        image_id: Id of the image in the results.
        classes: Names of all classes of the detector.
        how: ``path`` and ``size``, and where needed ``held`` or ``reader``, as of
            :class:`Prediction`.
    """
    found = sample.pred_instances
    return Prediction(
        image_id=image_id,
        boxes=found.bboxes.numpy(),
        scores=found.scores.numpy(),
        labels=found.labels.numpy(),
        classes=tuple(classes),
        **how,
    )
