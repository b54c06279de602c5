"""An object that a detector finds."""

from typing import NamedTuple


class FoundObject(NamedTuple):
    """An object that was found.

    Attributes:
        box: xyxy, pixels of the image.
        score: From 0 to 1.
        label: Place in the classes of the detector.
        name: Name of its class.
    """

    box: tuple[float, float, float, float]
    score: float
    label: int
    name: str
