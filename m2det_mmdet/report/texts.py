"""Figures and counts, as a report writes them."""

from math import isnan

from ..utils.tables import ABSENT


def figure(value: float | None) -> str:
    """Write a figure from 0 to 1 with three digits; a dash where there is none."""
    return ABSENT if value is None or isnan(value) else f'{value:.3f}'


def share(value: float) -> str:
    """Write a share as a percentage; a dash where there is none.

    Some of all, however little or much, is neither 0 % nor 100 %.
    """
    if isnan(value):
        return ABSENT
    if 0 < value < 0.01:
        return 'less than 1 %'
    if 0.99 < value < 1:
        return 'more than 99 %'
    return f'{100 * value:.0f} %'


def count(number: int, noun: str, plural: str = '') -> str:
    """Write a number of things."""
    return f'{number:,} {noun if number == 1 else plural or noun + "s"}'
