"""Images of 16 bits a channel, of which a camera uses fewer."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmdet.registry import TRANSFORMS

from .error import DatasetError

# As mmcv's "color", but 16 bits stay as they are.
_COLOUR_OF_ANY_DEPTH = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH

# Cameras use one of these numbers of bits.
_DEPTHS = (8, 10, 12, 14)
_SAMPLE = 50  # images that are decoded to tell it


def bits_used(paths: Sequence[Path]) -> int | None:
    """Tell how many bits a camera used, by some of its images.

    Args:
        paths: Images of 16 bits a channel.

    Returns:
        8, 10, 12 or 14; ``None`` if all 16 are used, or no image can be read.
    """
    step = max(1, len(paths) // _SAMPLE)
    largest = max(map(_largest, paths[::step]), default=None)
    if not largest:
        return None
    return next((bits for bits in _DEPTHS if largest < 2**bits), None)


def _largest(path: Path) -> int:
    """Return the largest value of an image, without alpha; 0 if it is none."""
    try:
        image = mmcv.imread(path, _COLOUR_OF_ANY_DEPTH)
    except (OSError, MemoryError, cv2.error):
        return 0
    return 0 if image is None else int(image.max())


@TRANSFORMS.register_module()
class LoadDeepImageFromFile(LoadImageFromFile):
    """Load an image, and scale the bits that a camera used to bytes.

    OpenCV keeps the upper 8 of 16 bits: images of a camera of 12 bits are then nearly
    black. Here the largest number of ``bits`` becomes 255, and others in proportion.
    Images of 8 bits a channel are those of the parent, and all are turned as their EXIF
    entry says.

    Args:
        bits: How many of 16 bits are used, from 8 to 16. What is larger becomes 255.
        ignore_empty: As of the parent.
        backend_args: As of the parent.

    Required keys:
        - ``img_path``

    Modified keys:
        - ``img``: BGR bytes ``(H, W, 3)``.
        - ``img_shape``
        - ``ori_shape``

    Raises:
        ValueError: If ``bits`` is not from 8 to 16.
        DatasetError: In use, if an image has neither 8 nor 16 bits a channel.
    """

    def __init__(
        self,
        *,
        bits: int = 16,
        ignore_empty: bool = False,
        backend_args: dict | None = None,
    ) -> None:
        if not 8 <= bits <= 16:
            raise ValueError(
                f'bits must be from 8 to 16, got {bits}: it says how many bits of a '
                '16-bit image are used.'
            )
        super().__init__(
            color_type=_COLOUR_OF_ANY_DEPTH,
            ignore_empty=ignore_empty,
            backend_args=backend_args,
        )
        self.bits = bits

    def transform(self, results: dict) -> dict | None:
        """Load the image of ``results``."""
        loaded = super().transform(results)
        if loaded is not None:
            loaded['img'] = self.to_bytes(loaded['img'], results['img_path'])
        return loaded

    def read(self, path: Path) -> np.ndarray | None:
        """Load an image by its path; ``None`` if it is none."""
        try:
            loaded = self({'img_path': str(path)})
        # The parent asserts that OpenCV gave an image.
        except AssertionError:
            return None
        return None if loaded is None else loaded['img']

    def to_bytes(self, image: np.ndarray, path: str) -> np.ndarray:
        """Scale an image of 8 or 16 bits a channel to bytes; ``path`` is its name.

        Raises:
            DatasetError: If it has another depth.
        """
        if image.dtype == np.uint8:
            return image
        if image.dtype == np.uint16:
            return cv2.convertScaleAbs(image, alpha=255 / (2**self.bits - 1))
        raise DatasetError(
            f'The image {path} has pixels of the type {image.dtype}, which would lose '
            'their range: convert it to 8 or 16 bits a channel.'
        )

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(bits={self.bits}, '
            f'ignore_empty={self.ignore_empty}, backend_args={self.backend_args})'
        )
