"""What a search for images passed over, and why."""

from collections import Counter
from enum import Enum
from pathlib import Path

from .texts import printable

_SHOWN = 5  # suffixes that a sentence names


class Reason(Enum):
    """Why something in a folder is not taken: what one of it is called, and several."""

    SUFFIX = ('file', 'files')
    BROKEN_LINK = ('broken link', 'broken links')
    LINKED_FOLDER = ('linked folder', 'linked folders')
    SPECIAL = ('special file', 'special files')
    CLOSED_FOLDER = (
        'folder that cannot be opened',
        'folders that cannot be opened',
    )
    PREDICTED = (
        'folder of drawn pictures',
        'folders of drawn pictures',
    )
    HIDDEN = ('hidden', 'hidden')
    UNLISTED = (
        'image that the annotations do not list',
        'images that the annotations do not list',
    )


class PassedOver:
    """What was passed over in the folders that were searched."""

    def __init__(self) -> None:
        self._found: dict[str, dict[Reason, list[str]]] = {}

    def add(self, place: Path | str, reason: Reason, name: str) -> None:
        """Note what was passed over.

        Args:
            place: The folder that was searched, or the pattern.
            reason: Why.
            name: Its path, relative to the folder.
        """
        self._found.setdefault(str(place), {}).setdefault(reason, []).append(name)

    def sentences(self) -> list[str]:
        """Tell in a line for each folder how much of which kind was passed over."""
        return [
            f'Passed over in {printable(place)}: '
            + ', '.join(_count(*item) for item in _in_order(reasons))
            for place, reasons in self._found.items()
        ]

    def to_dict(self) -> dict[str, dict[str, list[str]]]:
        """Return names by the folder, and by what is passed over there."""
        return {
            place: {reason.value[1]: names for reason, names in _in_order(reasons)}
            for place, reasons in self._found.items()
        }


def _in_order(reasons: dict[Reason, list[str]]) -> list[tuple[Reason, list[str]]]:
    return [(reason, reasons[reason]) for reason in Reason if reason in reasons]


def _count(reason: Reason, names: list[str]) -> str:
    said = f'{len(names)} {reason.value[len(names) > 1]}'
    return f'{said} ({_suffixes(names)})' if reason is Reason.SUFFIX else said


def _suffixes(names: list[str]) -> str:
    """Count files by their suffixes, the most frequent one first."""
    counts = Counter(Path(name).suffix.lower() or 'without suffix' for name in names)
    ordered = counts.most_common()
    parts = [f'{count} {printable(suffix)}' for suffix, count in ordered[:_SHOWN]]
    if rest := sum(count for _, count in ordered[_SHOWN:]):
        parts.append(f'{rest} others')
    return ', '.join(parts)
