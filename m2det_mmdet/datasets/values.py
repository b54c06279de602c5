"""What a value in a data file must be."""

from math import fsum
from typing import Any
from unicodedata import category

from ..utils.values import is_count, is_number

# Unicode's control characters, halves of characters, and ends of lines.
_UNSEEN = {'Cc', 'Cs', 'Zl', 'Zp'}


def is_positive(value: Any) -> bool:
    """Whether a value is a number above zero."""
    return is_number(value) and value > 0


def is_area(value: Any) -> bool:
    """Whether a value is a number, or nothing."""
    return value is None or is_number(value)


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number, which may be written as ``1.0``."""
    return is_number(value) and value == int(value)


def is_flag(value: Any) -> bool:
    """Whether a value is 0, 1, false or true."""
    return isinstance(value, int | float) and value in (0, 1)


def is_text(value: Any) -> bool:
    """Whether a value is text that can be seen, on one line."""
    if not isinstance(value, str) or not value.strip():
        return False
    return value.isprintable() or not _UNSEEN & {*map(category, value)}


def is_box(value: Any) -> bool:
    """Whether a value is a list of four numbers."""
    return (
        isinstance(value, list | tuple)
        and len(value) == 4
        and all(map(is_number, value))
    )


def is_segmentation(value: Any) -> bool:
    """Whether a value is a list of polygons, a run-length encoding, or nothing."""
    if isinstance(value, dict):
        counts, size = value.get('counts'), value.get('size')
        return (
            (isinstance(counts, str) or _are_numbers(counts))
            and isinstance(size, list)
            and len(size) == 2
            and all(map(is_count, size))
        )
    return value is None or (isinstance(value, list) and all(map(_are_numbers, value)))


def is_flat(value: Any) -> bool:
    """Whether a value holds no other values."""
    return not isinstance(value, list | dict)


def is_shallow(value: Any, levels: int = 50) -> bool:
    """Whether lists and objects hold each other less than ``levels`` deep."""
    if is_flat(value):
        return True
    parts = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(is_shallow(part, levels - 1) for part in parts)


def _are_numbers(value: Any) -> bool:
    # One sum is fast for COCO's forty million numbers, and not finite if one is not.
    try:
        return isinstance(value, list) and is_number(fsum(value))
    except (TypeError, ValueError, OverflowError):
        return False
