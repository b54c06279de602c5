"""Finds the images that a user names: files, folders and patterns."""

import os
import stat
from collections.abc import Iterator, Sequence
from functools import cache
from glob import glob
from pathlib import Path

from mmdet.apis.det_inferencer import IMG_EXTENSIONS

from .builds import did_you_mean_file
from .errors import M2DetError
from .passed_over import PassedOver, Reason
from .predicted import is_pictures
from .texts import printable

# What operating systems put beside images, in lower case.
_LITTER = {
    '__macosx',
    'thumbs.db',
    'desktop.ini',
    '.ds_store',
    '@eadir',
    '$recycle.bin',
}


def find_images(
    inputs: Sequence[str],
    exclude: Path | None = None,
    passed_over: PassedOver | None = None,
) -> list[Path]:
    """List the images that ``inputs`` name, each once, in their order.

    Folders are searched for images by the suffix of their names; what is hidden in them
    and what operating systems leave there (``._a.jpg``, ``Thumbs.db``, ``__MACOSX``) is
    left out, and so are folders behind links and the pictures of earlier predictions. A
    file that is named itself may have any suffix, or none.

    Args:
        inputs: Images, folders (with the folders in them) and glob patterns.
        exclude: Folder whose content is left out: where pictures go, if anywhere.
        passed_over: Gets what else was left out.

    Raises:
        M2DetError: If an input names no file or no image.
    """
    found: dict[Path, None] = {}
    passed_over = PassedOver() if passed_over is None else passed_over
    exclude = None if exclude is None else exclude.resolve()
    for name in inputs:
        all_paths = [Path(os.path.abspath(x)) for x in _expand(name, passed_over)]
        paths = [path for path in all_paths if exclude not in path.resolve().parents]
        if all_paths and not paths:
            raise M2DetError(
                f'The images in {name} lie in {exclude}, where pictures are written: '
                'give another output folder.'
            )
        if not paths and not is_litter(Path(name).name):
            raise _no_image(name, passed_over)
        found.update(dict.fromkeys(paths))
    if not found:
        raise _no_image(', '.join(inputs), passed_over)
    return list(found)


def images_in(folder: Path, passed_over: PassedOver | None = None) -> list[Path]:
    """List the images in a folder and the folders in it, by their suffixes.

    What is hidden, and what operating systems put there, is left out.

    Args:
        folder: The folder.
        passed_over: Gets what was left out.
    """
    passed_over = PassedOver() if passed_over is None else passed_over
    return sorted(_search(folder, folder, passed_over))


def is_litter(name: str) -> bool:
    """Whether an operating system put a file or folder of that name among others."""
    # macOS writes `._a.jpg` beside `a.jpg` on disks of other systems.
    return name.startswith('._') or name.lower() in _LITTER


def _search(folder: Path, root: Path, passed_over: PassedOver) -> Iterator[Path]:
    """Yield the images in a folder; note the rest by its path relative to ``root``."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        name = folder.relative_to(root).as_posix()
        passed_over.add(root, Reason.CLOSED_FOLDER, name)
        return
    for entry in entries:
        path = folder / entry.name
        reason = _reason(entry)
        if reason is not None:
            passed_over.add(root, reason, path.relative_to(root).as_posix())
        elif is_pictures(path):
            passed_over.add(root, Reason.PREDICTED, path.relative_to(root).as_posix())
        elif path.is_dir():
            yield from _search(path, root, passed_over)
        else:
            yield path


def _reason(entry: os.DirEntry) -> Reason | None:
    """Say why an entry of a folder is passed over; ``None`` if it is not."""
    if entry.name.startswith('.') or is_litter(entry.name):
        return Reason.HIDDEN
    try:
        mode = entry.stat().st_mode
    except OSError:  # It leads nowhere, or to itself.
        return Reason.BROKEN_LINK
    if stat.S_ISDIR(mode):
        return Reason.LINKED_FOLDER if entry.is_symlink() else None
    if not stat.S_ISREG(mode):
        return Reason.SPECIAL
    return None if _has_suffix(Path(entry.name)) else Reason.SUFFIX


def _expand(name: str, passed_over: PassedOver) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        return images_in(path, passed_over)
    if path.is_file():
        return [] if is_litter(path.name) else [path]
    if os.path.lexists(name):
        kind = 'pipe, device or the like' if path.exists() else 'link to nothing'
        raise M2DetError(
            f'{printable(name)} is no image but a {kind}: give a regular file.'
        )
    matches = sorted(map(Path, glob(name, recursive=True)))
    if not matches:
        hint = did_you_mean_file(path) or 'check the path.'
        raise M2DetError(
            f'There is no image, folder or match of {printable(name)}: {hint}'
        )
    return list(_images_among(matches, name, passed_over))


def _images_among(
    matches: Sequence[Path], pattern: str, passed_over: PassedOver
) -> Iterator[Path]:
    """Yield the images among the matches of a pattern, and note the other files."""
    known = set()
    drawn = cache(is_pictures)
    for match in matches:
        is_left_out = any(map(is_litter, match.parts)) or match.is_dir()
        if is_left_out or any(map(drawn, match.absolute().parents)):
            continue
        if not match.is_file():
            reason = Reason.SPECIAL if match.exists() else Reason.BROKEN_LINK
            passed_over.add(pattern, reason, str(match))
        elif not _has_suffix(match):
            passed_over.add(pattern, Reason.SUFFIX, str(match))
        # A link to a folder above makes `**` match each image forty times.
        elif (real := match.resolve()) not in known:
            known.add(real)
            yield match


def _has_suffix(path: Path) -> bool:
    return path.suffix.lower() in IMG_EXTENSIONS


def _no_image(name: str, passed_over: PassedOver) -> M2DetError:
    told = ' '.join(f'{sentence}.' for sentence in passed_over.sentences())
    return M2DetError(
        f'There is no image in {printable(name)}: looked for '
        f'{", ".join(IMG_EXTENSIONS)}. {told}'.rstrip()
    )
