"""Which threshold on scores to use, and what a person sees with it."""

from ...evaluation.confidence import count
from ...visualization.confusion import plot_confusion
from ...visualization.detection_curves import plot_by_confidence
from ..findings import EvaluatedDetector, Findings
from ..page import Part, Section, Table, plot
from ..texts import ABSENT, figure

_SHOWN = 10  # pairs of classes
_TEXT = (
    'A detector gives boxes of any score. A high threshold leaves few wrong boxes, a '
    'low one misses few objects; F1 weighs both alike. It is best at {thr:.2f} here '
    '(mean over the classes; what is counted has an IoU of at least 0.5). `m2det '
    'predict` takes 0.3 unless it is told otherwise: `--score-thr {thr:.2f}`.'
)
_NONE = 'Nothing is right at any threshold; the figures below are of {thr:.2f}.'


def section(data: EvaluatedDetector, findings: Findings) -> Section:
    """Show precision, recall and F1 by threshold, and the confusion matrix."""
    curves, thr = findings.confidence, findings.score_thr
    text = (_NONE if curves.best_thr is None else _TEXT).format(thr=thr)
    macro = curves.macro
    lines = plot_by_confidence(
        curves.thresholds, macro.precision, macro.recall, macro.f1, best_threshold=thr
    )
    matrix = plot_confusion(findings.confusion.counts, data.classes)
    pairs = findings.confusion.most_confused(_SHOWN)
    confused = Table(
        ['object', 'taken for', 'times'],
        [(pair.true, pair.predicted, f'{pair.count:,}') for pair in pairs],
        words=2,
    )
    return Section(
        'Score threshold',
        [
            Part(text=[text], pictures=[plot(lines, 'F1 by threshold')]),
            Part(
                title=f'Classes at the threshold {thr:.2f}', tables=[_classes(findings)]
            ),
            Part(
                title='Confusion matrix',
                text=[
                    f'Boxes from a score of {thr:.2f} on. Each row is a class of '
                    'objects, each column what they are taken for; the last column '
                    'counts objects that are missed, the last row boxes where there '
                    'is no object.'
                ],
                pictures=[plot(matrix, 'Confusion matrix')],
                wide=len(data.classes) > 8,
            ),
            *([Part(title='Most confused', tables=[confused])] if pairs else []),
        ],
    )


def _classes(findings: Findings) -> Table:
    curves = findings.confidence
    tp, fp, fn = count(findings.matches, score_thr=findings.score_thr)
    rows = []
    for place, name in enumerate(curves.classes):
        right, wrong, missed = int(tp[place]), int(fp[place]), int(fn[place])
        best = curves.best_thr_by_class[place]
        rows.append(
            (
                name,
                *(f'{number:,}' for number in (right, wrong, missed)),
                _rate(right, right + wrong),
                _rate(right, right + missed),
                _rate(2 * right, 2 * right + wrong + missed),
                ABSENT if best is None else f'{best:.2f}',
            )
        )
    return Table(
        [
            'class',
            'found',
            'wrong boxes',
            'missed',
            'precision',
            'recall',
            'F1',
            'its best threshold',
        ],
        rows,
    )


def _rate(part: int, whole: int) -> str:
    return figure(part / whole if whole else None)
