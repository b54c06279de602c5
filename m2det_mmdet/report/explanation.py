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
_SHOWN = 4  # classes with maps
_LONGEST = 960  # pixels of the longer side of an image
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
_COLUMNS = (
    'Scale is the map that found the object, 1 the finest. Anchors is the number of '
    'predicted boxes of its class that score at least as well and overlap it by half. '
    'The constant is what the score would be with maps of zeros.'
)
_GIVES = 'What each level gives for the class and against the background'
_KINDS = {
    'size': 'By size',
    'supercategory': 'By supercategory',
    'class': 'By class',
}


def explanation_page(
    name: str, image: np.ndarray, found: Explanation | HeatExplanation
) -> str:
    """Return the page of an image.

    Args:
        name: Of the detector.
        image: BGR, ``(H, W, 3)``, uint8.
        found: What was found in it, and why.
    """
    title = 'What the detector looks at'
    tiles = {'objects': str(len(found.objects))}
    if isinstance(found, Explanation):
        title = 'What each level gives'
        tiles['levels'] = str(len(found.weights))
    return render(title, name, tiles, image_sections(image, found))


def image_sections(
    image: np.ndarray, found: Explanation | HeatExplanation
) -> list[Section]:
    """Return what a page shows of an image.

    Args:
        image: BGR, ``(H, W, 3)``, uint8.
        found: What was found in it, and why.
    """
    if isinstance(found, HeatExplanation):
        return [_heat_section(image, found), _seen_section(image, found)]
    sections = [_objects_section(image, found), _maps_section(image, found)]
    # Without attention all are 1.
    if (found.weights != 1).any():
        sections.append(_weights_section(found))
    return sections


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
        Section(title, [Part(tables=[_table(own)], pictures=[_means(own)], wide=True)])
        for kind, title in _KINDS.items()
        if (own := result.groups.get(kind))
    ]
    subtitle = (
        f'{name}; {result.split}: {count(result.images, "image")}, '
        f'{count(result.objects, "object")}'
    )
    tiles = {'objects found': f'{whole.objects:,}', 'levels': str(len(whole.evidence))}
    return render('Which level finds what', subtitle, tiles, sections)


def _heat_section(image: np.ndarray, found: HeatExplanation) -> Section:
    title, how = _HEAT[found.method]
    picture = _fitted(image)
    maps = []
    for name, heat in list(found.heat.items())[:_SHOWN]:
        of = 'all classes' if found.method == 'eigencam' else name
        maps.append(
            photo(draw_heat(picture, heat), f'{title} of {of}', f'{title}, {of}')
        )
    text = [how, *([found.note] if found.note else [])]
    return Section(title, [Part(text=text, pictures=maps)])


def _seen_section(image: np.ndarray, found: HeatExplanation) -> Section:
    objects = found.objects
    table = Table(
        ['object', 'score'],
        [[x.name, f'{x.score:.3f}'] for x in objects[:_MOST]],
    )
    whole = Part(
        text=[_cut(len(objects))],
        tables=[table] if objects else [],
        pictures=[_with_boxes(image, found)],
    )
    return Section('Objects', [whole])


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
    text = [_HOW, _COLUMNS, _cut(len(objects))]
    parts = [
        Part(
            text=text,
            tables=[table] if objects else [],
            pictures=[_with_boxes(image, found)],
        )
    ]
    if objects:
        # Named as in the picture.
        rows = [(f'{x.name} {x.score:.2f}', x.evidence) for x in objects[:_MOST]]
        parts.append(Part(pictures=[_bars(rows, _GIVES)], wide=True))
    return Section('Objects', parts)


def _maps_section(image: np.ndarray, found: Explanation) -> Section:
    pictures = []
    for name, maps in list(found.maps.items())[:_SHOWN]:
        boxes = [x.box for x in found.objects if x.name == name]
        figure = draw_level_maps(
            image, maps, name, boxes=np.array(boxes), covered=found.covered
        )
        text = f'What each level and scale gives for {name}.'
        pictures.append(plot_of_photos(figure, text))
    text = (
        'A row for each scale, the finest one first, with its cells; red speaks for '
        'the class, blue against it. Each cell tells of its anchor with the best '
        'score. The objects of the class are outlined.'
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
    text = (
        'SFAM multiplies each channel of a level by a weight from 0 to 1, by what is '
        'in the image; here is their mean.'
    )
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


def _means(groups: dict[str, GroupShares]) -> Picture:
    rows = [(name, x.evidence) for name, x in list(groups.items())[:_MOST]]
    return _bars(rows, f'{_GIVES}, the mean')


def _bars(rows: Sequence[tuple[str, Sequence[float]]], text: str) -> Picture:
    return plot(draw_level_shares(rows, text), text)


def _with_boxes(image: np.ndarray, found: Explanation | HeatExplanation) -> Picture:
    picture = _fitted(image)
    boxes = np.array([x.box for x in found.objects]).reshape(-1, 4)
    boxes *= np.divide(picture.shape[1::-1], image.shape[1::-1]).repeat(2)
    labels = np.array([x.label for x in found.objects])
    scores = np.array([x.score for x in found.objects])
    drawn = draw_boxes(picture, boxes, labels, found.classes, scores=scores)
    return photo(drawn, 'The image with the boxes.')


def _fitted(image: np.ndarray) -> np.ndarray:
    """Return an image as large as the page shows it, so that labels can be read."""
    return scaled(image, _LONGEST / max(image.shape[:2]))


def _cut(number: int) -> str:
    return f'{_MOST} of {number} objects are in the table.' if number > _MOST else ''
