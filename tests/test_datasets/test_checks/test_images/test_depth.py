from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from m2det_mmdet.datasets.checks.images import used_bits


@pytest.mark.parametrize(
    ('largest', 'bits'),
    [
        (255, 8),
        (256, 10),
        (1023, 10),
        (3000, 12),
        (4095, 12),
        (4096, 14),
        (16384, None),
    ],
)
def test_bits_are_those_of_the_largest_value(
    largest: int, bits: int | None, tmp_path: Path, make_folder: Callable
) -> None:
    for name, value in (('a.png', 7), ('b.tif', largest)):
        cv2.imwrite(str(tmp_path / name), np.full((2, 3), value, np.uint16))
    cv2.imwrite(str(tmp_path / 'bytes.png'), np.full((2, 3), 255, np.uint8))
    names = ('a.png', 'bytes.png', 'none.png', 'b.tif')
    folder = make_folder(train=[(name, 3, 2, []) for name in names])

    assert used_bits(folder) == bits


def test_unused_depth_is_told_with_the_loader_that_scales_it(
    tmp_path: Path, make_folder: Callable, found: Callable
) -> None:
    # Alpha is full in 16 bits, and not counted.
    pixels = np.full((2, 3, 4), (100, 4000, 7, 65535), np.uint16)
    for name in ('a.png', 'b.png'):
        cv2.imwrite(str(tmp_path / name), pixels)
        pixels[..., 0] += 1
    cv2.imwrite(str(tmp_path / 'bytes.png'), np.zeros((2, 3), np.uint8))
    names = ('a.png', 'b.png', 'bytes.png')
    folder = make_folder(train=[(name, 3, 2, []) for name in names])

    count, sentence = found(folder)['depth-unused']

    assert count == 2
    assert sentence == (
        f'The image {tmp_path}/a.png and the others of 16 bits a channel use 12 of '
        "them: load them with dict(type='LoadDeepImageFromFile', bits=12)."
    )


def test_images_of_bytes_need_no_loader(tmp_path: Path, make_folder: Callable) -> None:
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((2, 3), np.uint8))
    folder = make_folder(train=[('a.png', 3, 2, [])])

    assert used_bits(folder) is None
