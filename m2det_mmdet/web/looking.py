"""What a page asks of a detector."""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from ..apis import Detector, FoundObject, M2DetError, Prediction
from ..apis.reasons import explain_object
from ..export.detector import ExportedDetector
from ..report.explanation import image_sections
from ..report.page import Section
from ..utils.headers import size_problem
from ..visualization import draw_predictions
from ..visualization.grids import scaled
from .suppression import OWN, Suppression, take_suppression

# A picture in memory takes three bytes a pixel, several times.
MOST_PIXELS = 50_000_000
# Pixels of the longer side of a picture on the page.
_LONGEST, _SHORTEST = 1600, 640


@dataclass(frozen=True, eq=False)
class Look:
    """What was seen in a picture: enough to choose boxes without the network.

    Attributes:
        detector: What has looked.
        file: The picture.
        found: All boxes, before the suppression where it can be chosen.
        suppression: The detector's; ``None`` where it cannot be chosen.
        small: The picture for the page, a file of JPEG; kept small, since every visitor
            has one.
    """

    detector: Detector
    file: Path
    found: Prediction
    suppression: Suppression | None
    small: bytes

    def choose(
        self, score_thr: float, way: str = OWN, overlap: float = 0.5
    ) -> Prediction:
        """Return the boxes that remain.

        Args:
            score_thr: Lowest score, after the suppression.
            way: As of :meth:`.Suppression.apply`.
            overlap: Likewise.
        """
        found = self.found
        if self.suppression is not None:
            found = self.suppression.apply(found, way, overlap)
        return found.filter(score_thr)

    def draw(self, chosen: Prediction) -> np.ndarray:
        """Draw boxes into the picture for the page, BGR."""
        data = np.frombuffer(self.small, np.uint8)
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
        # Names of classes would not fit into a smaller one.
        picture = scaled(picture, max(1.0, _SHORTEST / max(picture.shape[:2])))
        return draw_predictions(
            picture,
            chosen.boxes * (picture.shape[1] / self.found.size[0]),
            chosen.scores,
            chosen.labels,
            chosen.classes,
            score_thr=0,
        )

    def explain(self, found: FoundObject) -> list[Section]:
        """Tell why an object was found, as sections of a page; the network runs again.

        Args:
            found: The object.

        Raises:
            M2DetError: If nothing inside of the detector can be looked at, or as of
                :func:`.explain_object`, or if the picture has gone.
        """
        if isinstance(self.detector.inferencer.model, ExportedDetector):
            raise M2DetError(
                'An exported file has no levels that can be looked into: choose '
                'another model.'
            )
        image = replace(self.found, path=self.file).image
        return image_sections(image, explain_object(self.detector, image, found))


class Looker:
    """A detector that leaves its suppression to the page.

    Args:
        model: As of :class:`.Detector`.
        device: Likewise.

    Raises:
        M2DetError: As of :class:`.Detector`.
    """

    def __init__(self, model: str | Path, device: str | None = None) -> None:
        self.detector = Detector(model, device=device)
        self.suppression = take_suppression(self.detector.inferencer.model)

    def look(self, path: Path) -> Look:
        """Find objects in a picture.

        Raises:
            M2DetError: If it has more than 50 million pixels, or as of
                :class:`.Detector`.
        """
        if problem := size_problem(path, MOST_PIXELS):
            raise M2DetError(f'{path} {problem}: give another picture.')
        found = self.detector(path)
        image = found.image
        factor = min(1.0, _LONGEST / max(image.shape[:2]))
        _, data = cv2.imencode('.jpg', scaled(image, factor))
        # Visitors do not learn where it is.
        found = replace(found, path=Path(path.name))
        return Look(self.detector, path, found, self.suppression, data.tobytes())
