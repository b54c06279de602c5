"""The images that annotation files name, wherever they lie here."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ...utils.texts import one_line, shown
from ..error import DatasetError
from ..faults import Faults, Level, new_kind
from ..values import is_text
from .images import image_size
from .parts import MEASURED, Part
from .places import IMAGE_MISSING, PATH_FOREIGN, locate
from .splits import relative_to
from .tree import Tree

SIZE_MISSING = new_kind(
    'size-missing',
    Level.NOTE,
    'images without a width or height in their labels',
    'Those of the file are taken.',
)
_PROBES = 5  # images that must be in a folder to choose it


class Named(Protocol):
    """An annotation file: its path, the folders to look in, and its split if any."""

    path: Path
    folders: tuple[Path, ...]
    split: str | None


def measure_images(content: Any, tree: Tree, file: Named, faults: Faults) -> bool:
    """Give images without width and height those of their files, in place.

    Args:
        content: What the annotation file holds; it may have any form.
        tree: The data folder.
        file: The annotation file.
        faults: Gets the images.

    Returns:
        Whether there were any.
    """
    images = content.get('images') if isinstance(content, dict) else None
    lacking = list(filter(_lacks_size, images)) if isinstance(images, list) else []
    if not lacking:
        return False
    names = [image['file_name'] for image in lacking]
    folder = _image_folder(file.folders, names) or tree.root
    found = [x for x in lacking if _measure(x, folder, tree, file)]
    if found:
        faults.report(
            SIZE_MISSING,
            f'{file.path} gives no width and height for the image '
            f'{shown(found[0]["file_name"])}: those of the file are taken.',
            len(found),
        )
    return bool(found)


def place_images(part: Part, tree: Tree, file: Named, faults: Faults) -> None:
    """Find the images of a part, and correct their names where they lie elsewhere.

    An image that is not where the file says may be named by a path of another machine:
    see :func:`.locate`. Entries without an image are left out, with their annotations.

    Args:
        part: Changed in place.
        tree: The data folder.
        file: The annotation file.
        faults: Gets images that lie elsewhere and that are missing.
    """
    names = [image['file_name'] for image in part.content['images']]
    folder = _image_folder(file.folders, names)
    part.images = folder or tree.root
    absent = [
        image
        for image in part.content['images']
        if not os.path.isfile(os.path.join(part.images, image['file_name']))
    ]
    if not absent:
        return
    part.ann_file = None
    problems = _mend_names(part, absent, tree, file, faults)
    if folder is None and len(problems) == len(names):
        likely = ', '.join(map(str, file.folders[:2]))
        first = ', '.join(map(one_line, names[:_PROBES]))
        faults.report(
            IMAGE_MISSING,
            f'The first images of {file.path}, {first}, do not lie together in '
            f'{likely} or another usual folder: put them there or mend file_name.',
            len(names),
        )
    else:
        for problem in problems.values():
            faults.report(IMAGE_MISSING, problem)
    part.leave_out(problems)


def _lacks_size(image: Any) -> bool:
    """Whether an entry names a file, and no size."""
    return (
        isinstance(image, dict)
        and is_text(image.get('file_name'))
        and not (image.get('width') and image.get('height'))
    )


def _measure(image: dict[str, Any], folder: Path, tree: Tree, file: Named) -> bool:
    """Read the size of an image, and tell whether that was possible."""
    path = folder / image['file_name']
    if not os.path.isfile(path):
        found = _elsewhere(folder, tree, file, image['file_name'])
        if len(found) != 1:
            return False
        path = tree.root / found[0]
    try:
        image['width'], image['height'] = image_size(path)
    except DatasetError:
        return False
    image[MEASURED] = True
    return True


def _mend_names(
    part: Part, absent: Sequence[dict], tree: Tree, file: Named, faults: Faults
) -> dict[int, str]:
    """Correct the names of images that lie elsewhere; say what is wrong with others."""
    ids = {image['id'] for image in absent}
    taken = {
        relative_to(tree.root, part.images / image['file_name']): image['file_name']
        for image in part.content['images']
        if image['id'] not in ids
    }
    problems = {}
    for image in absent:
        name = image['file_name']
        found = _elsewhere(part.images, tree, file, name)
        problem = _problem(found, taken)
        if problem is not None:
            problems[image['id']] = (
                f'The image {one_line(part.images / name)} {problem}, but {file.path} '
                'lists it: restore the file or remove its entry.'
            )
            continue
        faults.report(
            PATH_FOREIGN,
            f'{file.path} names the image {shown(name)}, which is no file here: '
            f'{found[0]} is taken.',
        )
        taken[found[0]] = name
        image['file_name'] = relative_to(part.images, tree.root / found[0])
    return problems


def _image_folder(folders: Sequence[Path], names: Sequence[str]) -> Path | None:
    """Return the folder that has the most of the images, of the first ones if any."""
    folders = [folder for folder in dict.fromkeys(folders) if os.path.isdir(folder)]
    for sample in (names[:_PROBES], names):
        counts = [
            sum(os.path.isfile(os.path.join(folder, name)) for name in sample)
            for folder in folders
        ]
        if any(counts):
            return folders[counts.index(max(counts))]
    return None


def _elsewhere(folder: Path, tree: Tree, file: Named, name: str) -> list[str]:
    """Find the images that a name may mean, those in likely folders before others."""
    below = ''
    if folder != tree.root and folder.is_relative_to(tree.root):
        below = f'{folder.relative_to(tree.root).as_posix()}/'
    found = locate(tree, name, split=file.split, below=below)
    if len(found) < 2:
        return found
    ranks = [_rank(tree.root / path, file.folders) for path in found]
    pairs = zip(found, ranks, strict=True)
    return [path for path, rank in pairs if rank == min(ranks)]


def _rank(path: Path, folders: Sequence[Path]) -> int:
    above = [index for index, folder in enumerate(folders) if folder in path.parents]
    return min(above, default=len(folders))


def _problem(found: Sequence[str], taken: Mapping[str, str]) -> str | None:
    if not found:
        return 'does not exist'
    if len(found) > 1:
        return f'is not there and may be any of {", ".join(found[:3])}'
    if found[0] in taken:
        return f'is not there, and {found[0]} is {shown(taken[found[0]])}'
    return None
