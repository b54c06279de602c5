"""COCO's figures of boxes: of all, of each class and size, and as curves."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools.coco import COCO

from ..compat.coco_eval import evaluation_of
from ..utils.logs import prints_to, quiet_log

# In the order of COCO's summary.
SUMMARY = (
    'AP',
    'AP50',
    'AP75',
    'APs',
    'APm',
    'APl',
    'AR1',
    'AR10',
    'AR100',
    'ARs',
    'ARm',
    'ARl',
)
# In the order of COCO's ranges of areas, after the one of all.
SIZES = ('small', 'medium', 'large')
_CURVES = (0.5, 0.75)


@dataclass(frozen=True)
class ClassFigures:
    """COCO's figures of a class; NaN where it has no objects.

    Attributes:
        name: The class.
        category_id: Its id.
        objects: Number of its objects, without crowds.
        ap: AP, the mean over IoUs from 0.5 to 0.95.
        ap50: AP at the IoU 0.5.
        ap75: AP at the IoU 0.75.
        by_size: AP of the ``small``, ``medium`` and ``large`` objects.
    """

    name: str
    category_id: Any
    objects: int
    ap: float
    ap50: float
    ap75: float
    by_size: dict[str, float]


@dataclass(frozen=True)
class PrecisionCurves:
    """Precision by recall, as COCO's AP takes its mean of it.

    Attributes:
        recalls: ``(101,)``, from 0 to 1.
        precision: By IoU (0.5 and 0.75) ``(K, 101)``, that of each class: the best at
            this recall or a higher one, 0 where there is none; NaN for a class
            without objects.
        mean: By IoU ``(101,)``, the mean over classes with objects; NaN if none has.
    """

    recalls: np.ndarray
    precision: dict[float, np.ndarray]
    mean: dict[float, np.ndarray]


@dataclass(frozen=True)
class BoxFigures:
    """The figures of a detector.

    Attributes:
        summary: COCO's 12 figures by the names of :data:`SUMMARY`; NaN where there are
            no objects to find.
        classes: The figures of each class, by its id.
        curves: The curves of each class, in the same order.
    """

    summary: dict[str, float]
    classes: tuple[ClassFigures, ...]
    curves: PrecisionCurves


def box_figures(truth: COCO, found: COCO) -> BoxFigures:
    """Compute COCO's figures.

    Args:
        truth: Annotations, which may change as :func:`.even_out` tells.
        found: Detections, as ``truth.loadRes`` makes them.
    """
    with prints_to(quiet_log()):
        evaluation = evaluation_of(truth, found, 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    stats = _known(np.asarray(evaluation.stats)).tolist()
    # (T, R, K, A): IoUs, recalls, classes, ranges of areas; at most 100 detections.
    precision = _known(evaluation.eval['precision'][..., -1])
    params = evaluation.params
    of_iou = {
        thr: precision[int(np.argmin(np.abs(np.asarray(params.iouThrs) - thr)))]
        for thr in _CURVES
    }
    curves = {thr: part[:, :, 0].T for thr, part in of_iou.items()}
    return BoxFigures(
        dict(zip(SUMMARY, stats, strict=True)),
        _class_figures(truth, precision, of_iou),
        PrecisionCurves(
            np.asarray(params.recThrs),
            curves,
            {thr: known_mean(part, axis=0) for thr, part in curves.items()},
        ),
    )


def class_aps(
    truth: COCO, found: COCO, *, iou_thr: float, max_dets: int = 100
) -> np.ndarray:
    """Compute the AP of each class at one IoU, ``(K,)``; NaN without objects.

    Args:
        truth: Annotations, which may change as :func:`.even_out` tells.
        found: Detections, as ``truth.loadRes`` makes them.
        iou_thr: The lowest IoU of a match.
        max_dets: How many detections of a class count in an image.
    """
    with prints_to(quiet_log()):
        evaluation = evaluation_of(truth, found, 'bbox')
        params = evaluation.params
        params.iouThrs, params.maxDets = [iou_thr], [max_dets]
        params.areaRng, params.areaRngLbl = params.areaRng[:1], params.areaRngLbl[:1]
        evaluation.evaluate()
        evaluation.accumulate()
    return known_mean(_known(evaluation.eval['precision'][0, :, :, 0, 0]), axis=0)


def known_mean(values: np.ndarray, axis: int | tuple[int, ...] | None = None) -> Any:
    """Return the mean of what is not NaN; NaN where nothing is left."""
    known = ~np.isnan(values)
    count = known.sum(axis)
    total = np.where(known, values, 0).sum(axis)
    return total / np.where(count == 0, np.nan, count)


def _class_figures(
    truth: COCO, precision: np.ndarray, of_iou: dict[float, np.ndarray]
) -> tuple[ClassFigures, ...]:
    """Take the means of each class.

    Args:
        truth: Annotations.
        precision: ``(T, R, K, A)``.
        of_iou: ``(R, K, A)`` at some IoUs.
    """
    counts = Counter(
        annotation['category_id']
        for annotation in truth.anns.values()
        if not annotation['iscrowd'] and annotation['image_id'] in truth.imgs
    )
    # (K, A) each.
    ap = known_mean(precision, axis=(0, 1))
    ap50, ap75 = (known_mean(of_iou[thr], axis=0) for thr in _CURVES)
    return tuple(
        ClassFigures(
            truth.cats[id_]['name'],
            id_,
            counts[id_],
            float(ap[place, 0]),
            float(ap50[place, 0]),
            float(ap75[place, 0]),
            dict(zip(SIZES, ap[place, 1:].tolist(), strict=True)),
        )
        for place, id_ in enumerate(sorted(truth.cats))
    )


def _known(values: np.ndarray) -> np.ndarray:
    """Replace the -1 by which COCO says that there are no objects."""
    return np.where(values > -1, values, np.nan)
