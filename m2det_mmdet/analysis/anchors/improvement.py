"""Sizes and ratios of anchors that fit the objects of a data set."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.config import Config

from ...datasets.layouts.folder import DataFolder
from .fit import IOU_THR, AnchorFit, class_mean, measure, reach_of
from .forms import Numbers, numbers_of, shapes_of
from .heads import AnchorHead, build_generator, find_head
from .reach import Reach
from .search import APART, climb

# Objects that the search looks at, first and where these did not help. More say nearly
# the same, and take longer.
_SAMPLES = (5_000, 20_000)
# Anchors of a scale whose IoUs are kept, which take four bytes an object.
_KNOWN = 500


@dataclass(frozen=True)
class Improvement:
    """Anchors that fit better, or those of the config where none were found.

    Attributes:
        head: Key of the head in the model: ``bbox_head`` or ``rpn_head``.
        settings: The changed settings of its ``anchor_generator``; empty where the
            config's own are kept.
        before: The config's anchors.
        after: The anchors of ``settings``.
    """

    head: str
    settings: dict[str, Any]
    before: AnchorFit
    after: AnchorFit


def improve(cfg: Config, folder: DataFolder, *, seed: int = 0) -> Improvement:
    """Find anchors that fit the training objects of a data folder.

    Of the settings that the config's anchor generator has, sizes and ratios change; the
    number of anchors in a cell, and so the channels of the head, stay. They reach as
    many objects as they can at the IoU of training, then overlap them as well as they
    can; each class weighs the same, as in AP. The search starts from the config's
    numbers and from quantiles of the objects' sizes, and changes one number at a time.

    Args:
        cfg: The config of a detector.
        folder: The data.
        seed: Decides which objects are looked at where there are more than 5,000.

    Returns:
        Anchors that reach no fewer of all objects than the config's do, at the IoU of
        training and at 0.5, and that are better for the mean of the classes.

    Raises:
        NothingToFit: If the detector has no anchors that are matched by their IoU, or
            there is no object.
        M2DetError: If the config does not build or has no size of images.
    """
    head = find_head(cfg)
    reach = reach_of(cfg, head, folder)
    before = measure(reach, shapes_of(head.generator), head.iou_thr)
    # What helps a part may not help all.
    for part in dict.fromkeys(_sampled(reach, seed, count) for count in _SAMPLES):
        best, settings = before, {}
        for found in _candidates(head, part):
            shapes = shapes_of(build_generator({**head.settings, **found}))
            fit = measure(reach, shapes, head.iou_thr)
            if _is_better(fit, best):
                best, settings = fit, found
        if settings:
            break
    return Improvement(head.name, settings, before, best)


def _candidates(head: AnchorHead, reach: Reach) -> list[dict[str, Any]]:
    """Return the settings at which the search ends, one for each of its starts."""
    numbers = numbers_of(head.settings, head.generator)
    classes, thresholds = reach.objects.classes, _thresholds(head.iou_thr)
    own = reach.best(shapes_of(head.generator))
    known: dict[tuple, np.ndarray] = {}

    def ious(sizes: tuple[float, ...], ratios: tuple[float, ...]) -> np.ndarray:
        settings = {**head.settings, **numbers.settings(sizes, ratios)}
        shapes = shapes_of(build_generator(settings))
        keys = [(level, *shapes[level]) for level in range(len(shapes))]
        if len(known) > _KNOWN:
            known.clear()
        for level, *level_shapes in set(keys) - known.keys():
            known[(level, *level_shapes)] = reach.of_level(level, level_shapes)
        return np.max([known[key] for key in keys], axis=0)

    def worth(
        sizes: tuple[float, ...], ratios: tuple[float, ...]
    ) -> tuple[float, float, float]:
        found = ious(sizes, ratios)
        lost = [max(0, (own >= x).mean() - (found >= x).mean()) for x in thresholds]
        recall = class_mean(found >= head.iou_thr, classes)
        # In steps of a thousandth: one object more is not worth any loss of overlap.
        return -sum(lost), round(recall, 3), class_mean(found, classes)

    ends = [climb(numbers, sizes, worth) for sizes in _starts(numbers, reach)]
    return [numbers.settings(*end) for end in ends]


def _starts(numbers: Numbers, reach: Reach) -> list[tuple[float, ...]]:
    """Return the config's sizes, and quantiles of the objects' sizes."""
    if numbers.pixels is None:
        return [numbers.sizes]
    sides = np.sqrt(reach.objects.sides.prod(axis=1)) / numbers.pixels
    count = len(numbers.sizes)
    sizes: list[float] = []
    for side in np.quantile(sides, (np.arange(count) + 0.5) / count):
        least = sizes[-1] * APART if sizes else 0
        sizes.append(float(max(side, least)))
    return [numbers.sizes, tuple(sizes)]


def _sampled(reach: Reach, seed: int, most: int) -> Reach:
    """Return a part of many objects."""
    if len(reach.objects) <= most:
        return reach
    generator = np.random.default_rng(seed)
    index = generator.choice(len(reach.objects), most, replace=False)
    return Reach(reach.objects.take(index), reach.grids)


def _thresholds(iou_thr: float) -> list[float]:
    return sorted({IOU_THR, iou_thr})


def _is_better(one: AnchorFit, other: AnchorFit) -> bool:
    """Whether anchors reach no fewer objects than others, and classes better."""
    thresholds = _thresholds(one.iou_thr)
    if any(one.recall(thr) < other.recall(thr) for thr in thresholds):
        return False
    return _worth(one) > _worth(other)


def _worth(fit: AnchorFit) -> tuple[float, float]:
    recall = round(fit.class_recall(fit.iou_thr), 3)
    return recall, class_mean(fit.best_ious, fit.objects.classes)
