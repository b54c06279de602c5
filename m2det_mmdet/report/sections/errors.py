"""What a detector does wrong, by kind, and what each kind costs."""

from pycocotools.coco import COCO

from ...evaluation.errors import ERROR_KINDS, DetectorError
from ...evaluation.images import telling_errors
from ...evaluation.matches import Matches
from ...visualization.error_costs import plot_error_costs
from ..findings import EvaluatedDetector, Findings
from ..page import Part, Picture, Section, Table, plot
from ..pairs import pair
from ..texts import count, figure

_EXAMPLES = 2  # pictures of a kind
_TOTALS = {
    'false_positives': 'all wrong boxes',
    'false_negatives': 'all objects not found',
}
_MEANING = {
    'class': 'on an object of another class, with an IoU of at least 0.5',
    'location': 'of the right class, but with an IoU from 0.1 to 0.5',
    'both': 'on an object of another class, with an IoU from 0.1 to 0.5',
    'duplicate': 'on an object that a better box has found',
    'background': 'on no object: IoU up to 0.1 with each',
    'missed': 'an object without a box of any of these kinds',
}
# What helps, as far as it depends on the kind alone.
_ADVICE = {
    'class': 'More images of the classes that are confused help, or joining them.',
    'location': 'Check that boxes are labelled tightly and alike, or train longer.',
    'both': 'Often a matter of too short a training.',
    'duplicate': 'A stricter suppression helps: iou_threshold and sigma in '
    'model.test_cfg.nms.',
    'background': 'Look whether these are objects that nobody has labelled; images '
    'without objects are worth training on.',
    'missed': 'Larger input images help with small objects (--image-size), fitted '
    'anchors with odd shapes (m2det anchors).',
}
_TEXT = (
    'Kinds as TIDE names them. The cost of a kind is what AP50 would gain if the '
    'detector made no such error, and nothing else changed; costs do not add up, '
    'for one error may hide another. Boxes of any score count.'
)


def section(data: EvaluatedDetector, findings: Findings) -> Section:
    """Show costs, counts and examples of each kind."""
    costs = {_TOTALS.get(kind, kind): cost for kind, cost in findings.costs.items()}
    bars = plot_error_costs(
        {name: cost.delta_ap50 for name, cost in costs.items()},
        {name: cost.count for name, cost in costs.items()},
        totals=_TOTALS.values(),
    )
    rows = [
        (kind, _MEANING[kind], f'{cost.count:,}', figure(cost.delta_ap50))
        for kind in ERROR_KINDS
        for cost in [findings.costs[kind]]
    ]
    examples = telling_errors(findings.errors, _EXAMPLES)
    return Section(
        'Errors',
        [
            Part(text=[_TEXT], pictures=[plot(bars, 'Costs of the kinds of errors')]),
            Part(
                tables=[Table(['kind', 'a box', 'number', 'AP50 lost'], rows, words=2)]
            ),
            *(_part(data, findings, kind, examples[kind]) for kind in ERROR_KINDS),
        ],
    )


def _part(
    data: EvaluatedDetector, findings: Findings, kind: str, errors: list[DetectorError]
) -> Part:
    """Show examples of a kind, where it happens."""
    number = findings.costs[kind].count
    text = [f'{count(number, "time")}. {_ADVICE[kind]}'] if number else ['Never.']
    pictures = [_picture(data, findings, error) for error in errors]
    title = kind.capitalize()
    return Part(title, text, pictures=[x for x in pictures if x is not None])


def _picture(
    data: EvaluatedDetector, findings: Findings, error: DetectorError
) -> Picture | None:
    # With the boxes that were better, without which no error is understood.
    thr = findings.score_thr if error.score is None else error.score
    shown = [error.detection]
    if error.kind == 'duplicate':
        shown.append(_better(findings.matches, error.object))
    return pair(
        data,
        error.image_id,
        min(thr, findings.score_thr),
        _caption(data, error),
        detections=[id_ for id_ in shown if id_ is not None],
        objects=[] if error.object is None else [error.object],
    )


def _better(matches: Matches, object_id: int) -> int:
    """Return the id of the detection that has found an object."""
    objects = matches.objects
    place = objects.detection[objects.ids == object_id][0]
    return int(matches.detections.ids[place])


def _caption(data: EvaluatedDetector, error: DetectorError) -> str:
    truth = None if error.object is None else _class(data.truth, error.object)
    if error.detection is None:
        return f'{truth} that is missed:'
    found = _class(data.found, error.detection)
    with_score = f'{found} (score {error.score:.2f})'
    if truth is None:
        return f'{with_score} where there is no object:'
    if truth == found:
        return f'{with_score}, IoU {error.iou:.2f} with its object:'
    return f'{truth} taken for {with_score}, IoU {error.iou:.2f}:'


def _class(coco: COCO, id_: int) -> str:
    return coco.cats[coco.anns[id_]['category_id']]['name']
