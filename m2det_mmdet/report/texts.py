"""Figures and counts, as a report writes them."""

from math import isnan

from ..utils.tables import ABSENT


def figure(value: float | None) -> str:
    """Write a figure from 0 to 1 with three digits; a dash where there is none."""
    return ABSENT if value is None or isnan(value) else f'{value:.3f}'


def share(value: float) -> str:
    """Write a share as a percentage; a dash where there is none."""
    return ABSENT if isnan(value) else f'{100 * value:.0f} %'


def count(number: int, noun: str, plural: str = '') -> str:
    """Write a number of things."""
    return f'{number:,} {noun if number == 1 else plural or noun + "s"}'
