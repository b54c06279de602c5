"""Images that are turned when they are read, and labels for another size."""

import re
from collections import defaultdict
from collections.abc import Sequence

from ....utils.regular_files import read_regular
from ...faults import Faults, Level, new_kind
from ...layouts.folder import DataFolder
from ...layouts.parts import MEASURED
from ...orientation import turn_annotation
from .listing import ListedImage

SIZE_MISMATCH = new_kind(
    'size-mismatch',
    Level.FAULT,
    'images whose labels are for another width and height',
    'Boxes may lie in the wrong place: export labels and images together again.',
)
ORIENTATION_RAW = new_kind(
    'orientation-raw',
    Level.NOTE,
    'images that are turned when they are read, with boxes drawn before the turn',
    'Their boxes are turned, too.',
)
ORIENTATION_UNKNOWN = new_kind(
    'orientation-unknown',
    Level.FAULT,
    'images that are turned when they are read, with boxes that may be or not',
    'Boxes are taken as drawn on the turned image: look at a few, and store the images '
    'turned.',
)

_WIDTH_IN_XML = re.compile(rb'<width>\s*0*[1-9]')


def check_orientation(
    folder: DataFolder, images: Sequence[ListedImage], faults: Faults
) -> None:
    """Compare the sizes in labels and files; turn boxes that have to be.

    Where an image is turned by its EXIF orientation, the size in its labels tells
    whether they were drawn before. Where it cannot tell, those of other images do.

    Args:
        folder: The data.
        images: Its images.
        faults: Gets what is wrong.
    """
    drawn_raw, undecided, frames = [], [], set()
    labelled = _labelled(folder)
    for image in images:
        size, header = _size(image), image.header
        declared = header.orientation == 1 or _is_declared(folder, image)
        if declared and size not in (header.size, header.stored):
            _report_mismatch(image, faults)
        elif header.orientation == 1:
            continue
        elif header.size == header.stored or not declared:
            undecided.append(image)
        else:
            is_raw = size == header.stored
            frames.add(is_raw)
            drawn_raw += [image] if is_raw else []
    undecided = [x for x in undecided if (x.split, x.entry['id']) in labelled]
    if frames == {True}:
        drawn_raw += undecided
    elif frames != {False}:
        _report_unknown(undecided, faults)
    _turn(drawn_raw, faults)


def _size(image: ListedImage) -> tuple[float, float]:
    """Width and height, pixels, by the labels."""
    return image.entry['width'], image.entry['height']


def _labelled(folder: DataFolder) -> set[tuple]:
    return {
        (split, item['image_id'])
        for split, part in folder.parts.items()
        for item in part.content['annotations']
    }


def _is_declared(folder: DataFolder, image: ListedImage) -> bool:
    """Whether the size is that of the labels, not one that was measured for them."""
    if folder.kind != 'voc':
        return folder.kind == 'coco' and MEASURED not in image.entry
    source = image.part.sources.get(image.entry['id'])
    try:
        return source is None or bool(_WIDTH_IN_XML.search(read_regular(source)))
    except OSError:
        return False


def _report_mismatch(image: ListedImage, faults: Faults) -> None:
    width, height = _size(image)
    real = image.header.size
    swapped = ', which is swapped' if (height, width) == real else ''
    faults.report(
        SIZE_MISMATCH,
        f'The labels of {image.path} are for {width:g} x {height:g} pixels{swapped}, '
        f'and the file has {real[0]} x {real[1]}: export them together again.',
    )


def _report_unknown(images: Sequence[ListedImage], faults: Faults) -> None:
    for image in images:
        faults.report(
            ORIENTATION_UNKNOWN,
            f'The image {image.path} is turned when it is read (EXIF orientation '
            f'{image.header.orientation}), and nothing tells whether its labels were '
            'drawn before: look at it, and store it turned.',
        )


def _turn(images: Sequence[ListedImage], faults: Faults) -> None:
    """Turn boxes that were drawn before their images are turned."""
    parts, turned = {}, defaultdict(dict)
    for image in images:
        parts[image.split] = image.part
        turned[image.split][image.entry['id']] = image.header
        image.entry['width'], image.entry['height'] = image.header.size
        faults.report(
            ORIENTATION_RAW,
            f'The image {image.path} is turned when it is read (EXIF orientation '
            f'{image.header.orientation}), and its labels were drawn before: its boxes '
            'are turned, too.',
        )
    for split, part in parts.items():
        for item in part.content['annotations']:
            if header := turned[split].get(item['image_id']):
                turn_annotation(item, header.orientation, header.stored)
        part.ann_file = None
