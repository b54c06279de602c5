from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from m2det_mmdet.datasets import similar
from m2det_mmdet.datasets.similar import similar_groups

BCCD = Path(__file__).parents[3] / 'shared' / 'data' / 'bccd' / 'JPEGImages'


def _scene(seed: int) -> Image.Image:
    """Make an image of 320 x 240 pixels with soft patches."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
    return Image.fromarray(coarse).resize((320, 240), Image.Resampling.BICUBIC)


def test_copies_of_an_image_share_a_group(tmp_path: Path) -> None:
    scene = _scene(0)
    turned = Image.Exif()
    turned[0x0112] = 6
    deep = np.asarray(scene.convert('L')).astype(np.uint16) * 16
    copies = {
        'same.png': scene,
        'small.png': scene.resize((160, 120)),
        'square.png': scene.resize((300, 300)),
        'cropped.png': scene.crop((6, 4, 314, 236)),
        'brighter.png': ImageEnhance.Brightness(scene).enhance(1.2),
        'grey.png': scene.convert('L'),
        # Of 12 bits in 16.
        'deep.png': Image.fromarray(deep),
    }
    for name, picture in copies.items():
        picture.save(tmp_path / name)
    scene.save(tmp_path / 'poor.jpg', quality=20)
    scene.rotate(90, expand=True).save(tmp_path / 'turned.jpg', exif=turned)
    _scene(1).save(tmp_path / 'another.png')
    names = [*copies, 'poor.jpg', 'turned.jpg']
    paths = [tmp_path / name for name in ('another.png', *names)]

    assert similar_groups(paths) == [0] + [1] * len(names)


def test_different_scenes_have_groups_of_their_own(tmp_path: Path) -> None:
    paths = [tmp_path / f'{seed}.jpg' for seed in range(20)]
    for seed, path in enumerate(paths):
        _scene(seed).save(path)

    assert similar_groups(paths) == list(range(20))
    assert similar_groups([]) == []


def test_what_cannot_be_compared_is_alone(tmp_path: Path) -> None:
    (tmp_path / 'empty.jpg').touch()
    (tmp_path / 'also.jpg').touch()
    for name, value in (('black.png', 0), ('white.png', 255), ('dark.png', 0)):
        Image.new('L', (40, 30), value).save(tmp_path / name)
    names = ['empty.jpg', 'black.png', 'also.jpg', 'none.jpg', 'white.png', 'dark.png']

    # Of images of one colour only the same files are alike.
    groups = similar_groups([tmp_path / name for name in names])
    assert groups == [0, 1, 2, 3, 4, 1]


def test_images_are_alike_through_those_between_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(similar, '_ROWS', 4)
    # Each has 30 bits more than the one before; up to 56 may differ.
    chain = [np.arange(256) < 30 * place for place in range(8)]
    order = [5, 0, 7, 3, 1, 6, 2, 4]
    apart = np.arange(256) % 2 == 0
    hashes = np.stack([apart, *(chain[place] for place in order), apart])

    assert similar._first_alike(hashes).tolist() == [0] + [1] * 8 + [0]
    # Without the middle of the chain its ends are apart: 60 bits.
    assert similar._first_alike(np.stack([chain[2], chain[4]])).tolist() == [0, 1]


def test_the_number_of_bits_that_may_differ() -> None:
    base = np.arange(256) % 2 == 0
    for differing, alike in ((56, True), (57, False)):
        other = base.copy()
        other[:differing] ^= True
        assert (similar._first_alike(np.stack([base, other]))[1] == 0) == alike


@pytest.mark.skipif(not BCCD.is_dir(), reason='needs the data beside the project')
def test_blood_smears_are_not_alike_but_one_field_taken_twice() -> None:
    names = [f'BloodImage_000{number}.jpg' for number in range(30, 45)]
    paths = [path for name in names if (path := BCCD / name).exists()]
    assert len(paths) >= 10

    groups = similar_groups(paths)

    same = [
        (one.stem[-2:], other.stem[-2:])
        for (one, first), (other, second) in pairwise(zip(paths, groups, strict=True))
        if first == second
    ]
    assert same == [('37', '38')]
    assert len(set(groups)) == len(paths) - 1
