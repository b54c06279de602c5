"""What is told of why a detector finds what it finds."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..utils.found_object import FoundObject
from .level_view import ExplainedObject


@dataclass(frozen=True)
class Explanation:
    """What the levels of a detector give to what it finds in an image.

    Attributes:
        classes: Names of the classes.
        objects: What was found, the best first.
        maps: By the name of a class what each level gives for it over the image: of
            each scale ``(levels, h, w)``, the largest map first; of each cell the
            anchor that scores best.
        weights: By what SFAM multiplies each level, ``(levels, scales)``.
        page: The HTML file, if one was written; the figures are in JSON beside it.
        method: ``'levels'``.
    """

    classes: tuple[str, ...]
    objects: tuple[ExplainedObject, ...]
    maps: dict[str, list[np.ndarray]]
    weights: np.ndarray
    page: Path | None = None
    method: str = 'levels'


@dataclass(frozen=True)
class HeatExplanation:
    """What a detector reacts to in an image, as a heat map.

    Attributes:
        classes: Names of the classes.
        objects: What was found, the best first.
        heat: ``(h, w)``, 0..1, over the image in the size that the network gets: by the
            name of a class, and with EigenCAM one for ``'all'`` classes.
        method: ``'gradcam'`` or ``'eigencam'``.
        note: Why it is not explained by levels, where nobody chose the method.
        page: The HTML file, if one was written; the objects are in JSON beside it.
    """

    classes: tuple[str, ...]
    objects: tuple[FoundObject, ...]
    heat: dict[str, np.ndarray]
    method: str
    note: str | None = None
    page: Path | None = None


@dataclass(frozen=True)
class GroupShares:
    """What the levels give for the objects of a group, on average.

    Attributes:
        objects: Number of objects that were found.
        evidence: What each level gives for the class and against the background.
        scales: How many of the objects each scale found.
    """

    objects: int
    evidence: tuple[float, ...]
    scales: tuple[int, ...]

    @property
    def shares(self) -> tuple[float, ...] | None:
        """Part of each level in the sum; ``None`` where that is not positive."""
        whole = sum(self.evidence)
        return tuple(x / whole for x in self.evidence) if whole > 0 else None


@dataclass(frozen=True)
class DataExplanation:
    """What the levels of a detector give for the objects of a data set.

    Attributes:
        split: The images: ``train``, ``val``, ``test`` or ``all``.
        images: Their number.
        objects: Number of objects, without crowds.
        groups: Kind of group (``all``, ``size``, ``class``, ``supercategory``), then
            its name; groups without an object that was found are left out.
        data_problems: What of a folder of one's own was left out or repaired, a
            sentence each.
        page: The HTML file, if one was written; the figures are in JSON beside it.
    """

    split: str
    images: int
    objects: int
    groups: dict[str, dict[str, GroupShares]]
    data_problems: tuple[str, ...] = ()
    page: Path | None = None
