"""What single values of a checkpoint are, and how errors show them."""

from typing import Any

import numpy as np

# A number of thousands of digits takes Python seconds to write, or cannot be.
_LONGEST = 10**30


def is_count(value: Any) -> bool:
    """Whether it is a whole number from 0 on."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and value >= 0


def shown(name: str) -> str:
    """Show a name of a file on one line, with nothing that a terminal obeys."""
    return repr(name)[1:-1][:60]


def short(value: Any) -> str:
    """Show a number or a text, and name other things by their type."""
    if isinstance(value, int) and abs(value) > _LONGEST:
        return 'a number of more than 30 digits'
    if isinstance(value, int | float | str | bytes | np.generic | None):
        return repr(value)[:60]
    return f'one {type(value).__name__}'
