"""The objects that no anchor reaches."""

import numpy as np

from ...analysis.anchors import AnchorFit
from ...visualization.anchors import AnchorPlot, plot_shapes
from ..findings import EvaluatedDetector, Findings
from ..page import Part, Picture, Section, Table, plot
from ..pairs import pair
from ..texts import share

_IOU_THR = 0.5
_EXAMPLES = 4  # pictures
_TEXT = (
    'A detector with anchors learns an object from those that overlap it. {reached:,} '
    'of {total:,} objects have an anchor of IoU 0.5 or more ({share}).'
)


def section(data: EvaluatedDetector, findings: Findings) -> Section | None:
    """Show how many objects the anchors reach, and the largest that they do not."""
    fit = findings.anchors
    if fit is None:
        return None
    reached = fit.reached(_IOU_THR)
    text = [
        _TEXT.format(
            reached=int(reached.sum()), total=len(reached), share=share(reached.mean())
        )
    ]
    advice = fit.advice(_IOU_THR)
    if advice is not None:
        text.append(f'{int((~reached).sum()):,} have none: {advice}')
    groups = [
        (group.name, f'{group.count:,}', f'{group.count - group.reached:,}')
        for group in fit.groups(_IOU_THR)
        if group.count
    ]
    parts = [
        Part(text=text, pictures=[_plot(fit)]),
        Part(tables=[Table(['objects', 'number', 'not reached'], groups)]),
        Part(
            title='Objects that no anchor reaches',
            pictures=_examples(data, findings, fit),
        ),
    ]
    return Section('Anchors', parts if not reached.all() else parts[:2])


def _plot(fit: AnchorFit) -> Picture:
    shapes = AnchorPlot(
        'Objects and anchors', fit.objects.sides, fit.reached(_IOU_THR), fit.shapes, {}
    )
    return plot(plot_shapes(shapes), 'Width and height of objects and anchors')


def _examples(
    data: EvaluatedDetector, findings: Findings, fit: AnchorFit
) -> list[Picture]:
    """Show those that fit worst, of different images where there are enough."""
    order = np.argsort(fit.best_ious, kind='stable')
    missed = [place for place in order if fit.best_ious[place] < _IOU_THR]
    chosen: dict[int, int] = {}
    for place in missed:
        item = data.truth.anns[int(fit.objects.ids[place])]
        chosen.setdefault(item['image_id'], place)
    pictures = []
    for image_id, place in list(chosen.items())[:_EXAMPLES]:
        id_ = int(fit.objects.ids[place])
        name = data.truth.cats[data.truth.anns[id_]['category_id']]['name']
        caption = f'{name}, best IoU of an anchor {fit.best_ious[place]:.2f}:'
        thr = findings.score_thr
        pictures.append(pair(data, image_id, thr, caption, objects=[id_]))
    return [picture for picture in pictures if picture is not None]
