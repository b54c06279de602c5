"""Images that look alike, whatever their size, quality and brightness."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image, ImageOps
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..utils.files import sha256_of
from ..utils.headers import UnreadableImage, no_warnings_of_size, opened

# Measured on photographs, blood smears and generated scenes: copies with another size,
# quality or brightness, or without 2 % at each border, differ by up to 52 of 256 bits,
# different images by 88 or more.
_SIDE = 16  # of the hash, bits
_MOST_APART = 56
# Pixels that the hash is computed of are this many a side.
_SMALL = (4 * _SIDE, 4 * _SIDE)
# Below this standard deviation of grey, from 0 to 255, there is nothing to compare.
_FLAT = 1.0
_ROWS = 256  # hashes that are compared with all others at a time
_THREADS = 8


def similar_groups(paths: Sequence[Path]) -> list[int]:
    """Group images that look alike, by their perceptual hashes.

    Two images are in one group if they look alike, or if others between them do, as in
    a film. Images of one colour are alike only if their files are the same. An image
    that cannot be read has a group of its own. Mirrored and turned copies are not
    found.

    Args:
        paths: The images.

    Returns:
        The number of each image's group, counted from 0 as they appear.
    """
    with (
        no_warnings_of_size(),
        ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool,
    ):
        hashes = list(pool.map(_hash, paths))
    groups = np.arange(len(hashes))
    seen: dict[str, int] = {}
    for place, value in enumerate(hashes):
        if isinstance(value, str):
            groups[place] = seen.setdefault(value, place)
    hashed = [i for i, x in enumerate(hashes) if isinstance(x, np.ndarray)]
    if hashed:
        first = _first_alike(np.stack([hashes[i] for i in hashed]))
        groups[hashed] = np.array(hashed)[first]
    return np.unique(groups, return_inverse=True)[1].tolist()


def _hash(path: Path) -> np.ndarray | str | None:
    """Return 256 bits that tell what is seen.

    Of an image of one colour they would be noise: it has the digest of its file. Of
    what cannot be read it is ``None``.
    """
    try:
        with opened(path) as image:
            # JPEG is decoded at an eighth to a half of its size.
            image.draft('L', _SMALL)
            small = _grey(ImageOps.exif_transpose(image)).resize(_SMALL)
            if np.std(small) < _FLAT:
                return sha256_of(path)
            return imagehash.phash(small, hash_size=_SIDE).hash.ravel()
    except UnreadableImage:
        return None


def _grey(image: Image.Image) -> Image.Image:
    """Return an image in grey, of 16 and 32 bits with the range that it has."""
    if image.mode[0] not in 'IF':
        return image.convert('L')
    values = np.asarray(image, np.float32)
    values = values - values.min()
    values *= 255 / max(values.max(), 1e-9)
    return Image.fromarray(values.astype(np.uint8))


def _first_alike(hashes: np.ndarray) -> np.ndarray:
    """Return the place of the first image in the group of each.

    Args:
        hashes: Booleans ``(N, bits)``.
    """
    count, bits = hashes.shape
    # The product of two is the number of bits in common less that of the others.
    signs = np.where(hashes, 1, -1).astype(np.float32)
    first = np.arange(count)
    for start in range(0, count, _ROWS):
        products = signs[start : start + _ROWS] @ signs.T
        alike = products >= bits - 2 * _MOST_APART
        # Each is like itself.
        if np.count_nonzero(alike) > len(alike):
            first = _joined(first, alike, start)
    return first


def _joined(first: np.ndarray, alike: np.ndarray, start: int) -> np.ndarray:
    """Join the groups of images that are alike.

    Args:
        first: Place of the first image in the group of each, ``(N,)``.
        alike: Which images those from ``start`` on are like, ``(rows, N)``.
        start: Place of the first row.
    """
    # One column a group: where all are alike, pairs of images would fill the memory.
    members = np.argsort(first, kind='stable')
    groups, starts = np.unique(first[members], return_index=True)
    linked = np.logical_or.reduceat(alike[:, members], starts, axis=1)
    rows, columns = np.nonzero(linked)
    ends = (
        np.concatenate([rows + start, np.arange(len(first))]),
        np.concatenate([groups[columns], first]),
    )
    graph = coo_array((np.ones(len(ends[0]), bool), ends), shape=(len(first),) * 2)
    _, parts = connected_components(graph, directed=False)
    return np.unique(parts, return_index=True)[1][parts]
