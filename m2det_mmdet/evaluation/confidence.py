"""Precision, recall and F1 by the lowest score that counts."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .figures import known_mean
from .matches import Matches

# Whole hundredths: np.linspace would miss some by the last digit, and with it the
# scores that are equal to them.
_THRESHOLDS = np.arange(101) / 100


class Counts(NamedTuple):
    """Counts of each class: true positives, false positives, false negatives."""

    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray


class Rates(NamedTuple):
    """Rates at each threshold, the last axis.

    Attributes:
        precision: The share of detections that are right; NaN where there are none.
        recall: The share of objects that are found; NaN where there are none.
        f1: Their harmonic mean, 0 where nothing is right; NaN where there are no
            objects.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray


@dataclass(frozen=True)
class ConfidenceCurves:
    """What a detector finds by the lowest score that counts.

    Nothing is interpolated: a detection counts where its score is the threshold or
    more. Crowds, and detections on them, do not count.

    Attributes:
        thresholds: ``(101,)``, 0, 0.01, ..., 1.
        classes: Names of the ``K`` classes.
        counts: ``(K, 101)`` each.
        by_class: Rates of each class, ``(K, 101)``.
        micro: Rates of all detections and objects together, ``(101,)``.
        macro: Means over the classes with objects, ``(101,)``; that of the precision
            leaves out those without a detection.
        best_thr: The threshold of the highest macro F1, as :func:`best_threshold`
            chooses it; ``None`` if nothing is found.
        best_thr_by_class: That of each class.
    """

    thresholds: np.ndarray
    classes: tuple[str, ...]
    counts: Counts
    by_class: Rates
    micro: Rates
    macro: Rates
    best_thr: float | None
    best_thr_by_class: tuple[float | None, ...]


def by_confidence(matches: Matches) -> ConfidenceCurves:
    """Count at each threshold what is found, what is wrong and what is missed."""
    found, objects = matches.detections, matches.objects
    right = (found.object >= 0) & ~found.ignored
    tp, fp = (_from_score_on(matches, flags) for flags in (right, found.wrong))
    total = _of_class(matches, objects.label[~objects.ignored])
    counts = Counts(tp, fp, total[:, None] - tp)
    by_class = _rates(counts)
    means = [known_mean(rate[total > 0], axis=0) for rate in by_class]
    macro = Rates(*means)
    return ConfidenceCurves(
        _THRESHOLDS.copy(),
        matches.classes,
        counts,
        by_class,
        _rates(Counts(*(part.sum(axis=0) for part in counts))),
        macro,
        best_threshold(_THRESHOLDS, macro.f1),
        tuple(best_threshold(_THRESHOLDS, f1) for f1 in by_class.f1),
    )


def count(matches: Matches, *, score_thr: float) -> Counts:
    """Count each class at any threshold, ``(K,)`` each."""
    outcomes = matches.at(score_thr)
    found, objects = matches.detections, matches.objects
    return Counts(
        _of_class(matches, found.label[outcomes.right]),
        _of_class(matches, found.label[outcomes.wrong]),
        _of_class(matches, objects.label[outcomes.missed]),
    )


def best_threshold(thresholds: np.ndarray, f1: np.ndarray) -> float | None:
    """Choose the threshold of the highest F1.

    Where it is equal at several thresholds in a row, the middle one is chosen (of two
    the lower one): it stays good where scores differ a little on other images. Of
    several such rows the longest counts, of equals the one of the highest scores.

    Args:
        thresholds: ``(N,)``.
        f1: ``(N,)``, may be NaN.

    Returns:
        ``None`` where nothing is found at any threshold.
    """
    highest = np.nan_to_num(f1).max(initial=0)
    if highest == 0:
        return None
    at_best = np.isclose(np.nan_to_num(f1), highest, rtol=0, atol=1e-9)
    steps = np.diff(np.concatenate(([0], at_best.astype(int), [0])))
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    longest = np.flatnonzero(ends - starts == (ends - starts).max())[-1]
    return float(thresholds[(starts[longest] + ends[longest] - 1) // 2])


def _from_score_on(matches: Matches, flags: np.ndarray) -> np.ndarray:
    """Count the flagged detections of each class from each threshold on, (K, 101)."""
    found = matches.detections
    shape = (len(matches.classes), len(_THRESHOLDS) + 1)
    # How many thresholds each passes; those that pass none are dropped below.
    passed = np.searchsorted(_THRESHOLDS, found.score[flags], side='right')
    cells = found.label[flags] * shape[1] + passed
    exactly = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
    return exactly[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]


def _of_class(matches: Matches, labels: np.ndarray) -> np.ndarray:
    return np.bincount(labels, minlength=len(matches.classes))


def _rates(counts: Counts) -> Rates:
    tp, fp, fn = counts
    objects = _or_nan(tp + fn)
    return Rates(tp / _or_nan(tp + fp), tp / objects, 2 * tp / (tp + fp + objects))


def _or_nan(total: np.ndarray) -> np.ndarray:
    """Let a division by 0 give NaN, without a warning."""
    return np.where(total == 0, np.nan, total)
