"""The error of the conversion of a state dict."""

from collections.abc import Iterable, Sequence

from ..utils.errors import M2DetError
from ..utils.texts import printable

Shape = tuple[int, ...]

_LISTED = 20


class ConversionError(M2DetError, ValueError):
    """A state dict cannot be converted; the message says why and what to do.

    Args:
        reason: One sentence.
        missing: Names that the model needs and the state dict does not have.
        unexpected: Names in the state dict that the model does not have.
        misshapen: ``(name, shape in the state dict, shape in the model)``.
        advice: Sentences after the lists.

    Attributes:
        missing: As above, complete and sorted, like ``unexpected`` and ``misshapen``.
            Names are those in the state dict, without ``module.``.
    """

    def __init__(
        self,
        reason: str,
        *,
        missing: Iterable[str] = (),
        unexpected: Iterable[str] = (),
        misshapen: Iterable[tuple[str, Shape, Shape]] = (),
        advice: Sequence[str] = (),
    ) -> None:
        self.missing = sorted(missing)
        self.unexpected = sorted(unexpected)
        self.misshapen = sorted(misshapen)
        shapes = [
            f'{name}: {found} in the checkpoint, {expected} in the model'
            for name, found, expected in self.misshapen
        ]
        lines = [
            *_listing('Missing', self.missing),
            *_listing('Unexpected', self.unexpected),
            *_listing('Of another shape', shapes),
        ]
        super().__init__('\n'.join([reason, *lines, *advice]))

    def __str__(self) -> str:
        # Its lists have lines of their own.
        return '\n'.join(printable(line) for line in self.args[0].split('\n'))


def _listing(title: str, lines: Sequence[str]) -> list[str]:
    return [f'{title} ({len(lines)}):', indented(lines)] if lines else []


def indented(lines: Sequence[str]) -> str:
    """Return the first of ``lines``, one per line, and the number of the others."""
    more = [f'and {len(lines) - _LISTED} more'] if len(lines) > _LISTED else []
    return '\n'.join(f'  {line}' for line in [*lines[:_LISTED], *more])
