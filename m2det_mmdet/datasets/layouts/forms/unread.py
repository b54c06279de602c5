"""Forms of labels that are not read, but known by their files."""

from itertools import chain
from pathlib import Path

from ..tree import Tree

_SNIFFED = 20  # files of a suffix that are looked into
_BYTES = 100_000
# By suffix: what all is in such a file, and whose form it is.
_SIGNS = {
    '.json': (
        ((b'"shapes"', b'"imagePath"'), 'LabelMe'),
        ((b'"regions"', b'"shape_attributes"'), 'the VGG Image Annotator'),
        ((b'"from_name"', b'"to_name"'), 'Label Studio itself'),
    ),
    '.xml': (((b'<annotations>', b'<image '), 'CVAT itself'),),
    '.csv': (((b'xmin', b'xmax'), 'a CSV table'),),
    '.tfrecord': (((), 'TFRecord'),),
}


def describe(tree: Tree) -> str | None:
    """Say what labels there are, after "holds"; ``None`` if there are none."""
    for suffix, signs in _SIGNS.items():
        for path in tree.with_suffix(suffix)[:_SNIFFED]:
            content = _begin(tree.root / path)
            for words, name in signs:
                if all(word in content for word in words):
                    return f'labels in the form of {name} ({path}), which is not read'
    return None


def has_only_images(tree: Tree) -> bool:
    """Whether there are images, and no file that could hold labels."""
    suffixes = (*_SIGNS, '.txt', '.yaml', '.yml')
    others = chain.from_iterable(map(tree.with_suffix, suffixes))
    return bool(tree.images) and next(others, None) is None


def _begin(path: Path) -> bytes:
    try:
        with open(path, 'rb') as file:
            return file.read(_BYTES)
    except OSError:
        return b''
