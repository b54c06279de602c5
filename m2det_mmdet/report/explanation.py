"""Pages on why a detector finds what it finds."""

from collections.abc import Sequence

import numpy as np

from ..analysis.explained import (
    DataExplanation,
    Explanation,
    GroupShares,
    HeatExplanation,
)
from ..visualization.boxes import draw_boxes
from ..visualization.grids import scaled
from ..visualization.heat import draw_heat
from ..visualization.levels import draw_level_maps, draw_level_shares
from .page import Part, Picture, Section, Table, photo, plot, plot_of_photos, render
from .texts import count, share

_MOST = 30  # rows of a table
_WIDTH = 740  # pixels that a single picture has on the page
_HOW = (
    'The score of a class before the softmax or the sigmoid is a sum: what the '
    'channels of each level give to it, weighed by SFAM, and a constant. With a '
    'softmax a class competes with the background, whose sum is subtracted here.'
)
_HEAT = {
    'gradcam': (
        'Grad-CAM',
        'Of each class the anchor with the largest score: bright is what speaks for it '
        'in the maps that the head gets. It is an estimate by gradients, no sum.',
    ),
    'eigencam': (
        'EigenCAM',
        'The first principal component of the maps that the head gets, the mean of '
        'their scales: bright is where they stand out, whatever the class. Its sign is '
        'arbitrary, so that the bright parts may be those around the objects.',
    ),
}
_KINDS = {
    'size': 'By size',
    'supercategory': 'By supercategory',
    'class': 'By class',
}


def image_page(
    name: str,
    image: np.ndarray,
    found: Explanation,
    shown: Sequence[str],
    covered: tuple[float, float],
) -> str:
    """Return the page of an image.

    Args:
        name: Of the detector.
        image: BGR, ``(H, W, 3)``, uint8.
        found: What was found in it, and why.
        shown: Classes whose maps are shown.
        covered: Which part of the maps the image takes.
    """
    sections = [
        _objects_section(image, found),
        _maps_section(image, found, shown, covered),
        _weights_section(found),
    ]
    tiles = {'objects': str(len(found.objects)), 'levels': str(len(found.weights))}
    return render('What each level gives', name, tiles, sections)


def heat_page(
    name: str, image: np.ndarray, found: HeatExplanation, shown: Sequence[str]
) -> str:
    """Return the page of an image with heat maps.

    Args:
        name: Of the detector.
        image: BGR, ``(H, W, 3)``, uint8.
        found: What was found in it, and the heat.
        shown: Those of the heat maps that are shown.
    """
    objects = found.objects
    title, how = _HEAT[found.method]
    table = Table(
        ['object', 'score'],
        [[x.name, f'{x.score:.3f}'] for x in objects[:_MOST]],
    )
    whole = Part(
        text=[_cut(len(objects), _MOST)],
        tables=[table] if objects else [],
        pictures=[_with_boxes(image, found)],
    )
    maps = [
        photo(draw_heat(image, found.heat[x]), f'{title} of {x}', f'{title}, {x}')
        for x in shown
    ]
    text = [how, *([found.note] if found.note else [])]
    sections = [
        Section(title, [Part(text=text, pictures=maps)]),
        Section('Objects', [whole]),
    ]
    return render(
        'What the detector looks at', name, {'objects': str(len(objects))}, sections
    )


def data_page(name: str, result: DataExplanation) -> str:
    """Return the page of a data set.

    Args:
        name: Of the detector.
        result: Which levels found its objects.
    """
    whole = result.groups['all']['all']
    sections = [
        Section('All objects', [Part(text=[_HOW], tables=[_table({'all': whole})])])
    ]
    sections += [
        Section(title, [Part(tables=[_table(own)], pictures=[_bars(own)], wide=True)])
        for kind, title in _KINDS.items()
        if (own := result.groups.get(kind))
    ]
    subtitle = (
        f'{name}; {result.split}: {count(result.images, "image")}, '
        f'{count(result.objects, "object")}'
    )
    tiles = {'objects found': f'{whole.objects:,}', 'levels': str(len(whole.evidence))}
    return render('Which level finds what', subtitle, tiles, sections)


def _objects_section(image: np.ndarray, found: Explanation) -> Section:
    objects = found.objects
    table = Table(
        [
            *('object', 'score', 'scale', 'anchors'),
            *_levels(len(found.weights)),
            *('constant', 'sum'),
        ],
        [
            [
                x.name,
                f'{x.score:.3f}',
                str(x.scale + 1),
                str(len(x.anchors)),
                *(f'{part:+.2f}' for part in x.evidence),
                f'{x.constant_evidence:+.2f}',
                f'{sum(x.evidence) + x.constant_evidence:+.2f}',
            ]
            for x in objects[:_MOST]
        ],
    )
    part = Part(
        text=[_HOW, _cut(len(objects), _MOST)],
        tables=[table] if objects else [],
        pictures=[_with_boxes(image, found)],
    )
    return Section('Objects', [part])


def _maps_section(
    image: np.ndarray,
    found: Explanation,
    shown: Sequence[str],
    covered: tuple[float, float],
) -> Section:
    pictures = []
    for name in shown:
        boxes = [x.box for x in found.objects if x.name == name]
        figure = draw_level_maps(
            image, found.maps[name], name, boxes=np.array(boxes), covered=covered
        )
        text = f'What each level and scale gives for {name}.'
        pictures.append(plot_of_photos(figure, text))
    text = (
        'A row for each scale, the finest one first; red speaks for the class, blue '
        'against it. Each cell tells of its anchor with the best score. The boxes of '
        'the class are outlined.'
    )
    return Section('Maps', [Part(text=[text], pictures=pictures, wide=True)])


def _weights_section(found: Explanation) -> Section:
    table = Table(
        ['scale', *_levels(len(found.weights))],
        [
            [str(scale), *(f'{x:.2f}' for x in weights)]
            for scale, weights in enumerate(found.weights.T, start=1)
        ],
    )
    text = 'By what the attention multiplies the channels of a level, their mean.'
    return Section("SFAM's weights", [Part(text=[text], tables=[table])])


def _levels(number: int) -> list[str]:
    return [f'level {level}' for level in range(1, number + 1)]


def _table(groups: dict[str, GroupShares]) -> Table:
    some = next(iter(groups.values()))
    levels = _levels(len(some.evidence))
    scales = [f'scale {scale}' for scale in range(1, len(some.scales) + 1)]
    nothing = [float('nan')] * len(levels)
    return Table(
        ['objects of', 'found', *levels, *scales],
        [
            [
                name,
                f'{group.objects:,}',
                *(
                    f'{x:+.2f} ({share(part)})'
                    for x, part in zip(
                        group.evidence, group.shares or nothing, strict=True
                    )
                ),
                *(share(x / group.objects) for x in group.scales),
            ]
            for name, group in groups.items()
        ],
    )


def _bars(groups: dict[str, GroupShares]) -> Picture:
    most = dict(list(groups.items())[:_MOST])
    text = 'What each level gives for the class and against the background, the mean'
    return plot(
        draw_level_shares({name: x.evidence for name, x in most.items()}, text), text
    )


def _with_boxes(image: np.ndarray, found: Explanation | HeatExplanation) -> Picture:
    # Labels of a small image, which the page enlarges, would cover it.
    factor = max(1.0, _WIDTH / max(image.shape[:2]))
    image = scaled(image, factor)
    boxes = factor * np.array([x.box for x in found.objects])
    labels = np.array([x.label for x in found.objects])
    scores = np.array([x.score for x in found.objects])
    drawn = draw_boxes(image, boxes, labels, found.classes, scores=scores)
    return photo(drawn, 'The image with the boxes.')


def _cut(number: int, most: int) -> str:
    return f'{most} of {number} objects are in the table.' if number > most else ''
