"""A search that changes one number at a time while that helps."""

from collections.abc import Callable, Sequence
from itertools import pairwise, product
from math import floor, log10
from typing import Any

from .forms import LARGEST_RATIO, Numbers

# Factors by which numbers change, from those that turn a tall anchor into a wide one to
# about the distance of two rounded numbers.
_FACTORS = (4, 2.5, 1.6, 1.25, 1.1, 1.04)
_MOST_ROUNDS = 10  # with one factor
_DIGITS = 2
# Sizes that are nearly equal leave scales without objects of their own.
APART = 1.15

Values = tuple[float, ...]
Worth = Callable[[Values, Values], Any]


def climb(numbers: Numbers, sizes: Values, worth: Worth) -> tuple[Values, Values]:
    """Change sizes and ratios as long as their worth grows.

    Every number that changes is rounded, so that settings look written by a person.
    Sizes grow from each to the next by :data:`APART` or as much as they did.

    Args:
        numbers: Of them the ratios are the start, and the lowest ratio is taken.
        sizes: The sizes to start from.
        worth: Says how good sizes and ratios are; a larger value is better.

    Returns:
        The best sizes and ratios that were found.
    """
    count = len(sizes)
    values, best = (*sizes, *numbers.ratios), worth(sizes, numbers.ratios)
    for factor in _FACTORS:
        for _ in range(_MOST_ROUNDS):
            before = best
            moves = product(_moves(len(values), count), (factor, 1 / factor))
            for index, step in moves:
                found = tuple(
                    rounded(x * step) if i in index else x for i, x in enumerate(values)
                )
                is_sound = _is_sound(found[count:], numbers.lowest_ratio)
                if not is_sound or not _grows(found[:count], values[:count]):
                    continue
                value = worth(found[:count], found[count:])
                if value > best:
                    values, best = found, value
            if best == before:
                break
    return values[:count], values[count:]


def rounded(number: float) -> float:
    """Round to two digits and a half: 0.0835, 0.125, 33.5."""
    unit = 10.0 ** (floor(log10(number)) + 1 - _DIGITS) / 2
    return round(round(number / unit) * unit, 10)


def _moves(total: int, sizes: int) -> list[set[int]]:
    """Indices of the numbers that change together: all sizes, or one number."""
    together = [set(range(sizes))] if sizes > 1 else []
    return together + [{index} for index in range(total)]


def _grows(sizes: Values, before: Values) -> bool:
    pairs = zip(pairwise(sizes), pairwise(before), strict=True)
    return all(
        large >= small * min(APART, old_large / old_small)
        for (small, large), (old_small, old_large) in pairs
    )


def _is_sound(ratios: Sequence[float], lowest: float) -> bool:
    return all(lowest <= ratio <= LARGEST_RATIO for ratio in ratios)
