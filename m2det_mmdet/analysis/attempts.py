"""Parts of a measurement of which one may fail and leave the others."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ..utils.errors import clause_of

Result = TypeVar('Result')


@dataclass(frozen=True)
class Failure:
    """A part of a measurement that failed.

    Args:
        part: What was to be measured, in words.
        reason: Why that failed, in one line without a full stop.
    """

    part: str
    reason: str

    def __str__(self) -> str:
        return f'{self.part} failed: {self.reason}'


class Attempts:
    """Tries the parts of a measurement, and keeps the failures.

    Attributes:
        failures: One entry a part that failed, in their order.
    """

    def __init__(self) -> None:
        self.failures: list[Failure] = []

    def __call__(self, part: str, function: Callable[[], Result]) -> Result | None:
        """Return what ``function`` does; ``None`` if it fails."""
        try:
            return function()
        except Exception as error:  # What the modules of any model may raise.
            self.failures.append(Failure(part, clause_of(error)))
            return None
