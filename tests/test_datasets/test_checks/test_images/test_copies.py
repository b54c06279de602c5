import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Write two pictures, copies of the first, and one that looks like it."""
    generator = np.random.default_rng(0)
    for name in ('a.png', 'b.png'):
        coarse = generator.integers(0, 256, (6, 8, 3), np.uint8)
        picture = Image.fromarray(coarse).resize((80, 60))
        picture.save(tmp_path / name)
    for name in ('same.png', 'again.png'):
        shutil.copy(tmp_path / 'a.png', tmp_path / name)
    Image.open(tmp_path / 'a.png').resize((64, 48)).save(tmp_path / 'small.png')
    return tmp_path


def _images(*names: str) -> list[tuple]:
    sizes = {'small.png': (64, 48)}
    return [(name, *sizes.get(name, (80, 60)), []) for name in names]


def test_copies_are_found_without_reading_pixels(
    pictures: Path, make_folder: Callable, found: Callable
) -> None:
    folder = make_folder(
        train=_images('a.png', 'b.png', 'again.png'), val=_images('same.png')
    )

    assert found(folder) == {
        'image-twice': (
            1,
            f'The image {pictures}/again.png (train) is a copy of {pictures}/a.png '
            '(train): keep one of them.',
        ),
        'split-same': (
            1,
            f'The image {pictures}/same.png (val) is a copy of {pictures}/a.png '
            '(train): keep them in one split, or one of them.',
        ),
    }


def test_images_that_look_alike_are_found_by_their_pixels(
    pictures: Path, make_folder: Callable, found: Callable
) -> None:
    folder = make_folder(
        train=_images('a.png', 'b.png'), val=_images('small.png', 'same.png')
    )

    assert list(found(folder)) == ['split-same']
    kinds = found(folder, pixels=True)

    # A copy is told once.
    assert {name: count for name, (count, *_) in kinds.items()} == {
        'split-same': 1,
        'split-similar': 1,
    }
    assert f'{pictures}/small.png (val) looks like' in kinds['split-similar'][1]


@pytest.mark.parametrize(
    ('train', 'val'),
    [
        (['a.png', 'a.png'], ['b.png', './b.png']),
        (['a.png'], ['a.png']),
        (['a.png', 'small.png'], ['b.png']),
    ],
    ids=['listed twice', 'in both splits', 'alike in one split'],
)
def test_what_others_find_or_what_is_no_fault_is_left(
    train: list[str],
    val: list[str],
    pictures: Path,
    make_folder: Callable,
    found: Callable,
) -> None:
    folder = make_folder(train=_images(*train), val=_images(*val))

    assert found(folder, pixels=True) == {}
