"""How well the anchors of a config fit the objects of a data set."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mmengine.config import Config

from ...datasets.faults import Faults, Level, new_kind
from ...datasets.layouts.folder import DataFolder
from ...utils.configs import config_name
from .advice import what_would_reach
from .forms import shapes_of
from .grids import grids_of
from .heads import AnchorHead, NothingToFit, find_head
from .objects import Objects, objects_of
from .reach import Reach, Shape

# IoU at which detectors are compared, whatever they are trained with.
IOU_THR = 0.5
# Areas up to which COCO's metric calls objects small and medium, original pixels.
_SMALL, _MEDIUM = 32**2, 96**2
# Longer side by shorter from which an object is called wide or tall.
_ELONGATED = 1.5
# Share of unreached objects that costs accuracy.
_MANY = 0.05
_UNREACHED = new_kind(
    'anchors-unreached',
    Level.FAULT,
    'objects that no anchor reaches',
    'Each is learned from one anchor that fits badly. `m2det train --data` fits the '
    'anchors of M2Det by itself, and `m2det anchors` finds sizes; a larger image size '
    'reaches smaller objects.',
)
_FEW_UNREACHED = _UNREACHED._replace(level=Level.NOTE)


@dataclass(frozen=True)
class ObjectGroup:
    """Objects of a kind.

    Attributes:
        name: ``small``, ``medium`` or ``large`` by the area in the original image, as
            COCO's metric has them; ``wide``, ``square`` or ``tall`` by the shape in the
            detector's input, where the longer side is 1.5 times the shorter or not.
        count: How many there are.
        reached: How many have an anchor of at least the IoU.
    """

    name: str
    count: int
    reached: int

    @property
    def recall(self) -> float:
        """Share of the objects that are reached; NaN without any."""
        return self.reached / self.count if self.count else float('nan')


@dataclass(frozen=True)
class AnchorFit:
    """How well anchors fit objects.

    Attributes:
        objects: The objects, in pixels of the detector's input.
        shapes: Width and height of the anchors in a cell of each scale, input pixels.
        best_ious: IoU of each object with the best of all anchors, ``(N,)``.
        iou_thr: IoU from which training takes an anchor for a positive.
    """

    objects: Objects
    shapes: tuple[tuple[Shape, ...], ...]
    best_ious: np.ndarray
    iou_thr: float

    @property
    def mean_iou(self) -> float:
        """Mean of the best IoUs."""
        return float(self.best_ious.mean())

    def recall(self, iou_thr: float = IOU_THR) -> float:
        """Share of the objects with an anchor of at least this IoU."""
        return float(self.reached(iou_thr).mean())

    def class_recall(self, iou_thr: float = IOU_THR) -> float:
        """Mean of the recalls of all classes, as AP is a mean of those of all."""
        return class_mean(self.reached(iou_thr), self.objects.classes)

    def reached(self, iou_thr: float = IOU_THR) -> np.ndarray:
        """Whether each object has an anchor of at least this IoU, ``(N,)``."""
        return self.best_ious >= iou_thr

    def groups(self, iou_thr: float = IOU_THR) -> list[ObjectGroup]:
        """Count objects by size, and by shape."""
        areas, (width, height) = self.objects.areas, self.objects.sides.T
        wide, tall = width >= _ELONGATED * height, height >= _ELONGATED * width
        flags = {
            'small': areas < _SMALL,
            'medium': (areas >= _SMALL) & (areas < _MEDIUM),
            'large': areas >= _MEDIUM,
            'wide': wide,
            'square': ~(wide | tall),
            'tall': tall,
        }
        reached = self.reached(iou_thr)
        return [
            ObjectGroup(name, int(flag.sum()), int((flag & reached).sum()))
            for name, flag in flags.items()
        ]

    def advice(self, iou_thr: float = IOU_THR) -> str | None:
        """Say in a clause what would reach most of the rest; ``None`` without any."""
        missed = self.objects.take(~self.reached(iou_thr))
        return what_would_reach(missed, self.shapes, iou_thr)


def fit_of(cfg: Config, folder: DataFolder) -> AnchorFit:
    """Compare the anchors of a config with the training objects of a data folder.

    Objects are as large as the test pipeline makes them: crops in training change that.

    Args:
        cfg: The config of a detector.
        folder: The data; the number of their classes does not matter.

    Raises:
        NothingToFit: If the detector has no anchors that are matched by their IoU, or
            there is no object.
        M2DetError: If the config does not build or has no size of images.
    """
    head = find_head(cfg)
    reach = reach_of(cfg, head, folder)
    return measure(reach, shapes_of(head.generator), head.iou_thr)


def reach_of(cfg: Config, head: AnchorHead, folder: DataFolder) -> Reach:
    """Put the training objects of a data folder on the grids of a config's anchors.

    Raises:
        M2DetError: As :func:`fit_of`.
    """
    objects = objects_of(cfg, folder)
    if not len(objects):
        raise NothingToFit(
            f'The data folder {folder.root} has no object to fit anchors to: check the '
            'annotations of its training split.'
        )
    return Reach(objects, grids_of(cfg, head, objects))


def measure(
    reach: Reach, shapes: Sequence[Sequence[Shape]], iou_thr: float
) -> AnchorFit:
    """Compare anchors of these shapes with objects."""
    fixed = tuple(tuple(level) for level in shapes)
    return AnchorFit(reach.objects, fixed, reach.best(shapes), iou_thr)


def class_mean(values: np.ndarray, classes: np.ndarray) -> float:
    """Return the mean over classes of the mean value of their objects.

    Args:
        values: ``(N,)``, of each object.
        classes: ``(N,)``, ids.
    """
    _, index, counts = np.unique(classes, return_inverse=True, return_counts=True)
    return float((np.bincount(index, weights=values) / counts).mean())


def check_fit(
    cfg: Config, folder: DataFolder, faults: Faults, *, fitted: bool = False
) -> None:
    """Report the training objects that no anchor of a config reaches at IoU 0.5.

    Without anchors or objects there is nothing to report.

    Args:
        cfg: The config of a detector.
        folder: The data.
        faults: Gets the kind ``anchors-unreached``: a fault where these are more than
            a twentieth of the objects, else a note.
        fitted: Whether the anchors have been fitted to these data already.

    Raises:
        M2DetError: If the config does not build or has no size of images.
    """
    try:
        fit = fit_of(cfg, folder)
    except NothingToFit:
        return
    total, missed = len(fit.objects), int((~fit.reached()).sum())
    if not missed:
        return
    kind = _UNREACHED if missed > _MANY * total else _FEW_UNREACHED
    faults.report(
        kind,
        f'{missed:,} of {total:,} training objects have no anchor of '
        f'{config_name(cfg)}{", fitted to them," if fitted else ""} at IoU {IOU_THR}: '
        f'{fit.advice()}',
        missed,
    )
