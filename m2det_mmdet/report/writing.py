"""A report as a page, and as figures for programs."""

from math import isnan
from typing import Any

from ..analysis.machine import versions
from ..evaluation.figures import ClassFigures
from ..utils.pipelines import kind_of
from .findings import EvaluatedDetector, Findings
from .page import render
from .sections import SECTIONS
from .texts import count, figure


def page_of(data: EvaluatedDetector, findings: Findings) -> str:
    """Return the page of a report: an HTML file that needs no other."""
    made = (section(data, findings) for section in SECTIONS)
    objects = findings.matches.objects
    number = int((~objects.ignored).sum())
    subtitle = (
        f'{data.split}: {count(len(data.truth.imgs), "image")}, '
        f'{count(number, "object")}, {count(len(data.classes), "class", "classes")}; '
        f'{kind_of(data.cfg.model)}, {data.parameters / 1e6:.2f} M parameters'
    )
    summary = findings.figures.summary
    tiles = {name: figure(summary[name]) for name in ('AP', 'AP50', 'AP75')}
    is_best = findings.confidence.best_thr is not None
    at_threshold = {
        'best score threshold'
        if is_best
        else 'score threshold': f'{findings.score_thr:.2f}',
        'F1 there': figure(_best_f1(findings)),
    }
    return render(
        data.name,
        subtitle,
        tiles | at_threshold,
        [section for section in made if section is not None],
    )


def figures_of(data: EvaluatedDetector, findings: Findings) -> dict[str, Any]:
    """Return the figures of a report as JSON takes them; ``None`` for those unknown."""
    curves, anchors = findings.confidence, findings.anchors
    reached = None if anchors is None else anchors.reached()
    return {
        'name': data.name,
        'checkpoint': data.checkpoint,
        'data': data.data,
        'split': data.split,
        'images': len(data.truth.imgs),
        'figures': {x: _known(y) for x, y in findings.figures.summary.items()},
        'classes': [_of_class(x) for x in findings.figures.classes],
        'score_threshold': findings.score_thr,
        'f1': _known(_best_f1(findings)),
        'score_threshold_by_class': dict(
            zip(curves.classes, curves.best_thr_by_class, strict=True)
        ),
        'errors': {
            kind: {'count': cost.count, 'ap50_lost': _known(cost.delta_ap50)}
            for kind, cost in findings.costs.items()
        },
        'confusion': {
            'rows': [*data.classes, 'background'],
            'columns': [*data.classes, 'missed'],
            'counts': findings.confusion.counts.tolist(),
        },
        'anchors': None
        if reached is None
        else {'objects': len(reached), 'not_reached': int((~reached).sum())},
        'seconds_to_detect': round(data.seconds, 2),
        'versions': versions(),
    }


def _best_f1(findings: Findings) -> float:
    curves = findings.confidence
    place = int(abs(curves.thresholds - findings.score_thr).argmin())
    return float(curves.macro.f1[place])


def _of_class(figures: ClassFigures) -> dict[str, Any]:
    return {
        'name': figures.name,
        'objects': figures.objects,
        'AP': _known(figures.ap),
        'AP50': _known(figures.ap50),
        'AP75': _known(figures.ap75),
        'by_size': {size: _known(ap) for size, ap in figures.by_size.items()},
    }


def _known(value: float) -> float | None:
    return None if isnan(value) else value
