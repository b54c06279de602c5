"""Values and texts of others, as a message shows them."""

from numbers import Number
from reprlib import Repr
from typing import Any

_LONGEST = 200
# Python refuses to write numbers of thousands of digits.
_LARGEST = 10**30


def one_line(text: Any, most: int = _LONGEST) -> str:
    """Return a text, as of another library's error, on one line and cut where long."""
    line = printable(' '.join(str(text).split()))
    return line if len(line) <= most else f'{line[:most]}...'


def printable(text: str) -> str:
    """Return a text with a sign in the place of line ends and what cannot be seen."""
    if text.isprintable():
        return text
    return ''.join(x if x.isprintable() else '\N{REPLACEMENT CHARACTER}' for x in text)


def shown(value: Any) -> str:
    """Return a value as Python text of one line, cut where it is long or deep.

    Of what is not plain data, as a tensor, only the type is told.
    """
    return one_line(_Shown().repr(value))


class _Shown(Repr):
    """Writes lists, sets, tuples, dicts, numbers and texts; names other types."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 2
        self.maxstring = self.maxlong = self.maxother = 60

    def repr_int(self, value: int, level: int) -> str:
        """Write a whole number."""
        if abs(value) > _LARGEST:
            return 'a number of more than 30 digits'
        return super().repr_int(value, level)

    def repr_instance(self, value: Any, level: int) -> str:
        """Write what has no method of its own."""
        if value is None or isinstance(value, Number | str | bytes):
            return super().repr_instance(value, level)
        return f'one {type(value).__name__}'
