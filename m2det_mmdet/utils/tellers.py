"""Which of several processes tells a person of an error."""

from .errors import M2DetError
from .launchers import is_first_of_machine

# Attribute of an error.
_TELLER = '_m2det_teller'


def name_teller(error: BaseException, teller: str | None) -> None:
    """Note who tells of an error: ``'rank 1'``, or ``None`` for another process."""
    setattr(error, _TELLER, teller)


def rank_of_error(error: BaseException) -> str | None:
    """Return who tells of an error, to be put before its sentence.

    Returns:
        ``'rank 1'``; an empty text outside of a job; ``None`` where another process
        tells of it.
    """
    if hasattr(error, _TELLER):
        return getattr(error, _TELLER)
    # Before they have come together, the processes of a machine meet the same error.
    is_same = isinstance(error, M2DetError) and not is_first_of_machine()
    return None if is_same else ''
