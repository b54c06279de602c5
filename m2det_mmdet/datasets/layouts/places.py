"""Images whose paths were written on another machine, or by a labelling tool."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from ..faults import Level, new_kind
from .splits import NAMES, split_of
from .tree import Tree

PATH_FOREIGN = new_kind(
    'path-foreign',
    Level.NOTE,
    'images that lie elsewhere than labels or lists say, as on another machine',
    'The image that fits the end of the path best is taken, if there is only one.',
)
IMAGE_MISSING = new_kind(
    'image-missing',
    Level.FAULT,
    'images that labels or lists name, and that are not there',
    'They are left out: restore the files, or remove their entries.',
)

# Label Studio puts eight digits in front of the names of uploads.
_UPLOAD = re.compile(r'[0-9a-f]{8}-(?=.)')
_SCHEME = re.compile(r'[A-Za-z][A-Za-z0-9+.-]+://')
_FOREIGN = re.compile(rf'/|.*\\|{_SCHEME.pattern}')
_DRIVE = re.compile(r'[A-Za-z]:')


def locate(
    tree: Tree, written: str, *, split: str | None, below: str = ''
) -> list[str]:
    """Find the images that a path of another machine may mean.

    Of the images with the name at its end, those that share the most folders before
    the name are taken; the case of letters counts only between equals.

    Args:
        tree: The data folder.
        written: The path as it was written.
        split: If given, images in the folders of other splits are not considered.
        below: Folder of the images, relative to that of ``tree``, that ends in ``/``.

    Returns:
        Paths relative to the data folder: none, one, or several that fit equally well.
    """
    for parts in _readings(written):
        found = [
            path
            for path in tree.images_by_name.get(parts[-1].lower(), ())
            if path.startswith(below) and _may_be_of(path, split)
        ]
        if found:
            scores = [_score(path.split('/'), parts) for path in found]
            best = max(scores)
            return [path for path, x in zip(found, scores, strict=True) if x == best]
    return []


def is_upload(name: str) -> bool:
    """Whether a file has the name that Label Studio gives an upload."""
    return bool(_UPLOAD.match(name))


def tails(written: str, split: str) -> list[str]:
    """Return the ends of a path of another machine to a folder or list of a split.

    They go from the longest to the shortest that can still mean the split: two folders,
    one that is named after it, or a file. A relative path with ``/`` has none.
    """
    if not _FOREIGN.match(written):
        return []
    parts = next(_readings(written), [])
    ends = [parts[index:] for index in range(len(parts))]
    return [
        '/'.join(end)
        for end in ends
        if len(end) > 1 or '.' in end[0] or end[0].lower() in NAMES[split]
    ]


def _may_be_of(path: str, split: str | None) -> bool:
    return split is None or split_of(path) in (None, split)


def _score(path: list[str], parts: list[str]) -> tuple[int, int]:
    """Count the parts at the ends that are equal: but for case, and with it."""
    counts = []
    for change in (str.lower, str):
        pairs = zip(reversed(path), reversed(parts), strict=False)
        equal = [change(one) == change(other) for one, other in pairs]
        counts.append(equal.index(False) if False in equal else len(equal))
    return counts[0], counts[1]


def _readings(written: str) -> Iterator[list[str]]:
    """Yield what a path may be: as it stands, unquoted, without an upload's digits."""
    path = _path_of_url(written).replace('\\', '/')
    for text in dict.fromkeys((path, unquote(path))):
        parts = [part for part in PurePosixPath(text).parts if part not in ('/', '..')]
        parts = parts[1:] if parts and _DRIVE.fullmatch(parts[0]) else parts
        if parts:
            yield parts
            if is_upload(parts[-1]):
                yield [*parts[:-1], _UPLOAD.sub('', parts[-1], count=1)]


def _path_of_url(text: str) -> str:
    """Return the path of a URL; of Label Studio's local files, that in the query."""
    if not _SCHEME.match(text) and '?d=' not in text:
        return text
    try:
        url = urlsplit(text)
        local = parse_qs(url.query).get('d')
    except ValueError:
        return text
    return local[0] if local else url.path
