from collections.abc import Iterator

import numpy as np
import pytest
from mmdet.registry import TRANSFORMS

from m2det_mmdet.datasets import SSDPhotometricDistortion

# BGR: a grey, a pure blue of hue 120 and a dark one of the same hue.
IMAGE = np.array([[[100, 100, 100], [250, 0, 0], [128, 64, 64]]], dtype=np.uint8)


@pytest.fixture
def draw(monkeypatch: pytest.MonkeyPatch) -> Iterator:
    """Let only some of the four changes happen, each with the given number."""

    def prepare(chances: list[int], *numbers: float) -> None:
        drawn = iter(numbers)
        flags = iter(chances)

        def randint(low: int, high: int | None = None) -> int:
            return next(flags) if high is None else int(next(drawn))

        monkeypatch.setattr(np.random, 'randint', randint)
        monkeypatch.setattr(np.random, 'uniform', lambda low, high: next(drawn))

    return prepare


def distort(image: np.ndarray = IMAGE) -> list:
    transform = TRANSFORMS.build({'type': 'SSDPhotometricDistortion'})
    return transform({'img': image})['img'][0].tolist()


@pytest.mark.parametrize(
    ('chances', 'number', 'expected'),
    [
        ([0, 0, 0, 0], 0, [[100, 100, 100], [250, 0, 0], [128, 64, 64]]),
        # Brightness and contrast end at 255 and at 0.
        ([1, 0, 0, 0], 20.0, [[120, 120, 120], [255, 20, 20], [148, 84, 84]]),
        ([1, 0, 0, 0], -30.0, [[70, 70, 70], [220, 0, 0], [98, 34, 34]]),
        ([0, 1, 0, 0], 1.5, [[150, 150, 150], [255, 0, 0], [192, 96, 96]]),
        # From blue by 60 of 180 hues to red, where the circle begins anew.
        ([0, 0, 1, 0], 60, [[100, 100, 100], [0, 0, 250], [64, 64, 128]]),
        # Half the saturation; grey has none.
        ([0, 0, 0, 1], 0.5, [[100, 100, 100], [250, 125, 125], [128, 96, 96]]),
    ],
)
def test_each_change(
    draw: object, chances: list[int], number: float, expected: list
) -> None:
    before = IMAGE.copy()
    draw(chances, number)

    assert np.abs(np.array(distort()) - expected).max() <= 1
    assert np.array_equal(IMAGE, before)


def test_ranges_and_chances() -> None:
    np.random.seed(0)
    grey = np.full((1, 1, 3), 100, dtype=np.uint8)
    values = np.array([distort(grey)[0] for _ in range(4000)])

    # A grey has no hue: its channels stay equal, no channel is swapped.
    assert (values == values[:, :1]).all()
    # Least: 68 times 0.5; most: 132 times 1.5; unchanged in a quarter.
    assert 34 <= values.min() < 38
    assert 190 < values.max() <= 198
    assert 0.22 < (values[:, 0] == 100).mean() < 0.3
    blue = np.array([[[250, 0, 0]]], dtype=np.uint8)
    assert all(distort(blue)[0][0] >= 100 for _ in range(200))


def test_floats_are_refused() -> None:
    with pytest.raises(ValueError, match='needs bytes, got float32'):
        SSDPhotometricDistortion()({'img': IMAGE.astype(np.float32)})
