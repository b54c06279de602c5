"""What a number is that was read of a file."""

from typing import Any

import numpy as np

# Up to here whole numbers are exact as floats, which pycocotools keeps ids as.
_LARGEST = 2**53
_NUMBERS = (int, float, np.integer, np.floating)
_WHOLE = (int, np.integer)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number, small enough to compute with."""
    return _is_one_of(value, _NUMBERS) and -_LARGEST <= value <= _LARGEST


def is_count(value: Any) -> bool:
    """Whether a value is 0, 1, 2, ..."""
    return _is_one_of(value, _WHOLE) and 0 <= value <= _LARGEST


def _is_one_of(value: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)
