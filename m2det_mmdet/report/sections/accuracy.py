"""COCO's figures: of all, of each class and of each size."""

from ...evaluation.figures import SIZES, BoxFigures
from ...visualization.detection_curves import plot_precision_recall
from ...visualization.sizes import plot_sizes
from ..findings import EvaluatedDetector, Findings
from ..page import Part, Section, Table, plot
from ..texts import figure

_MEANING = {
    'AP': 'mean of the IoUs 0.5 to 0.95',
    'AP50': 'at IoU 0.5',
    'AP75': 'at IoU 0.75',
    'APs': 'small objects, below 32 x 32 pixels of area',
    'APm': 'medium objects',
    'APl': 'large objects, from 96 x 96 pixels of area',
    'AR1': 'recall with the best box of a class in an image',
    'AR10': 'recall with 10 boxes',
    'AR100': 'recall with 100 boxes',
    'ARs': 'recall of small objects',
    'ARm': 'recall of medium objects',
    'ARl': 'recall of large objects',
}
_LIMIT = (
    'The 100 best boxes of a class in an image count, as COCO has it. In the log of a '
    "training all figures but AP are MMDetection's, of up to 1,000 boxes."
)


def section(data: EvaluatedDetector, findings: Findings) -> Section:
    """Show the figures and the curves of precision by recall."""
    figures = findings.figures
    summary = Table(
        ['figure', 'of what', 'value'],
        [(name, _MEANING[name], figure(x)) for name, x in figures.summary.items()],
        words=2,
    )
    names = [x.name for x in figures.classes]
    sizes = plot_sizes(
        names,
        [x.ap for x in figures.classes],
        {size: [x.by_size[size] for x in figures.classes] for size in SIZES},
    )
    curves = [
        plot(
            plot_precision_recall(
                figures.curves.recalls, precision, names, iou_thr=iou_thr
            ),
            f'Precision by recall at IoU {iou_thr:g}',
            f'Precision by recall at IoU {iou_thr:g}',
        )
        for iou_thr, precision in figures.curves.precision.items()
    ]
    return Section(
        'Accuracy',
        [
            Part(tables=[_of_classes(figures)], title='Classes'),
            Part(pictures=[plot(sizes, 'AP by class and size of the objects')]),
            Part(title='Precision and recall', pictures=curves),
            Part(title="COCO's 12 figures", text=[_LIMIT], tables=[summary]),
        ],
    )


def _of_classes(figures: BoxFigures) -> Table:
    rows = [
        (
            x.name,
            f'{x.objects:,}',
            *map(figure, (x.ap, x.ap50, x.ap75)),
            *(figure(x.by_size[size]) for size in SIZES),
        )
        for x in sorted(figures.classes, key=lambda x: -x.ap if x.objects else 1)
    ]
    mean = figures.summary
    names = ('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl')
    total = sum(x.objects for x in figures.classes)
    rows.append(('all', f'{total:,}', *(figure(mean[name]) for name in names)))
    return Table(['class', 'objects', 'AP', 'AP50', 'AP75', *SIZES], rows)
