from dataclasses import replace
from itertools import pairwise

import pytest

from m2det_mmdet.analysis.anchors.forms import Numbers
from m2det_mmdet.analysis.anchors.search import climb, rounded

NUMBERS = Numbers(
    sizes=(0.1, 0.2, 0.4),
    ratios=(2.0,),
    write_ratios=list,
    lowest_ratio=1.1,
    pixels=100,
    given={},
    write_sizes=lambda sizes: {'sizes': sizes},
)


def _climb_to(sizes: tuple, ratios: tuple, numbers: Numbers = NUMBERS) -> tuple:
    """Climb to what is nearest to given numbers, by the sum of their factors."""

    def worth(found_sizes: tuple, found_ratios: tuple) -> float:
        pairs = zip((*found_sizes, *found_ratios), (*sizes, *ratios), strict=True)
        return -sum(max(a / b, b / a) for a, b in pairs)

    return climb(numbers, numbers.sizes, worth)


def test_a_search_finds_numbers_up_to_the_rounding() -> None:
    sizes, ratios = _climb_to((0.05, 0.3, 1.5), (1.4,))

    assert sizes == pytest.approx((0.05, 0.3, 1.5), rel=0.05)
    assert ratios == pytest.approx((1.4,), rel=0.05)
    assert all(number == rounded(number) for number in (*sizes, *ratios))


def test_numbers_that_are_best_stay_as_they_are() -> None:
    numbers = replace(NUMBERS, sizes=(0.1234, 0.2345, 0.4567))

    assert _climb_to(numbers.sizes, (2.0,), numbers) == (numbers.sizes, (2.0,))


def test_sizes_stay_apart_and_ratios_elongated() -> None:
    sizes, ratios = _climb_to((0.2, 0.2, 0.2), (1.0,))

    assert all(large >= 1.15 * small for small, large in pairwise(sizes))
    assert ratios[0] >= 1.1


def test_sizes_that_were_nearer_may_stay_so() -> None:
    numbers = replace(NUMBERS, sizes=(0.1, 0.105, 0.4))

    sizes, _ = _climb_to((0.1, 0.105, 0.8), (2.0,), numbers)

    assert sizes[:2] == (0.1, 0.105)
    assert sizes[2] == pytest.approx(0.8, rel=0.05)


@pytest.mark.parametrize(
    ('number', 'result'),
    [(0.08341, 0.0835), (0.1234, 0.125), (33.7, 33.5), (1.049, 1.05), (7, 7)],
)
def test_numbers_have_two_digits_and_a_half(number: float, result: float) -> None:
    assert rounded(number) == result
