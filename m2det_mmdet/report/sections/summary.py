"""What a detector can and cannot do, in sentences."""

from collections.abc import Iterator

from ...evaluation.figures import SIZES, ClassFigures
from ..findings import EvaluatedDetector, Findings
from ..page import Part, Section
from ..texts import count, figure, share

# With fewer objects of a class its AP is much a matter of chance.
_FEW_OBJECTS = 30
# Differences of AP that are worth a sentence.
_GAP = 0.1
# An error is worth a sentence from this cost on.
_COST = 0.005
ERRORS = {
    'class': 'taking an object for another class',
    'location': 'boxes that fit their object badly',
    'both': 'boxes of another class that fit badly',
    'duplicate': 'second boxes on one object',
    'background': 'boxes where there is no object',
    'missed': 'objects that have no box',
}


def section(data: EvaluatedDetector, findings: Findings) -> Section:
    """Say the most important things."""
    if not len(findings.matches.detections):
        return Section('Summary', [Part(text=[_nothing(data)])])
    sentences = [
        _at_threshold(findings),
        *_on_classes(findings),
        *_on_sizes(findings),
        *_on_errors(findings),
        *_on_anchors(findings),
        *_cautions(data, findings),
    ]
    return Section('Summary', [Part(text=sentences)])


def _nothing(data: EvaluatedDetector) -> str:
    return (
        f'The detector found nothing in {count(len(data.truth.imgs), "image")}: it was '
        'trained too briefly, or its score_thr (model.test_cfg) is too high.'
    )


def _at_threshold(findings: Findings) -> str:
    outcomes = findings.matches.at(findings.score_thr)
    right, wrong = int(outcomes.right.sum()), int(outcomes.wrong.sum())
    objects = right + int(outcomes.missed.sum())
    boxes = max(right + wrong, 1)
    return (
        f'With the threshold {findings.score_thr:.2f} on scores it finds {right:,} of '
        f'{objects:,} objects ({share(right / objects)}), and {share(right / boxes)} '
        f'of its {right + wrong:,} boxes are right, that is, of the right class and '
        'with an IoU of at least 0.5.'
    )


def _known(findings: Findings) -> list[ClassFigures]:
    """Return the classes with objects, the best first."""
    known = [x for x in findings.figures.classes if x.objects]
    return sorted(known, key=lambda x: -x.ap)


def _on_classes(findings: Findings) -> Iterator[str]:
    known = _known(findings)
    best, worst = known[0], known[-1]
    if figure(best.ap) != figure(worst.ap):
        yield (
            f'The best class is {best.name} (AP {figure(best.ap)}), the worst is '
            f'{worst.name} (AP {figure(worst.ap)}).'
        )
    pairs = findings.confusion.most_confused(1)
    if pairs:
        pair = pairs[0]
        yield (
            f'Most often {pair.true} is taken for {pair.predicted}: '
            f'{count(pair.count, "time")} at this threshold.'
        )


def _on_sizes(findings: Findings) -> Iterator[str]:
    summary = findings.figures.summary
    aps = {size: summary[f'AP{size[0]}'] for size in SIZES}
    known = {size: ap for size, ap in aps.items() if ap == ap}
    if len(known) < 2 or max(known.values()) - min(known.values()) < _GAP:
        return
    worst, best = min(known, key=known.get), max(known, key=known.get)
    yield (
        f'It is worse with {worst} objects (AP {figure(known[worst])}) than with '
        f'{best} ones (AP {figure(known[best])}).'
    )


def _on_errors(findings: Findings) -> Iterator[str]:
    costs = {kind: findings.costs[kind] for kind in ERRORS}
    kind = max(costs, key=lambda x: costs[x].delta_ap50)
    gain = costs[kind].delta_ap50
    if gain >= _COST:
        yield (
            f'Most AP is lost by {ERRORS[kind]} ({count(costs[kind].count, "time")} at '
            f'any score): without them AP50 would be {gain:.3f} higher.'
        )


def _on_anchors(findings: Findings) -> Iterator[str]:
    if findings.anchors is None:
        return
    missed = int((~findings.anchors.reached()).sum())
    if missed:
        yield (
            f'No anchor reaches {missed:,} of {len(findings.anchors.objects):,} '
            'objects at IoU 0.5: the detector was hardly taught such objects.'
        )


def _cautions(data: EvaluatedDetector, findings: Findings) -> Iterator[str]:
    if data.chosen_on:
        yield (
            'The checkpoint was chosen by its AP on these images, so that the figures '
            'are a little too good; images that no training has seen are fairer.'
        )
    if data.learned_from:
        part = count(data.learned_from, 'of these images', 'of these images')
        yield (
            f'The detector has learned from {part}: the figures are better than those '
            'of other images.'
        )
    yield from (f'Of the data, {problem}' for problem in data.data_problems)
    rare = [x for x in _known(findings) if x.objects < _FEW_OBJECTS]
    if rare:
        names = ', '.join(f'{x.name} ({x.objects})' for x in rare[:5])
        more = f' and {len(rare) - 5} more' if len(rare) > 5 else ''
        yield (
            f'Few objects to count on: {names}{more}. Figures of such classes would '
            'differ much on other images.'
        )
