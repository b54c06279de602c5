"""The folders in which the images of a data set may lie."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

# Whether images may lie anywhere, or in which folders besides those of the data.
Allowed = bool | Sequence[str | Path]


class Boundary:
    """Tells whether a path stays within folders, also where links lead elsewhere.

    Args:
        folders: The folders; each may itself be a link.
    """

    def __init__(self, folders: Iterable[str | Path]) -> None:
        self._roots = tuple({os.path.realpath(folder) for folder in folders})
        # Images of one folder are asked for one after the other.
        self._known: dict[str, bool] = {}

    def holds_folder_of(self, path: str | Path) -> bool:
        """Whether the folder of a file lies within; the file itself is not looked at.

        A file may still be a link that leads out: see :meth:`holds`.
        """
        folder = os.path.dirname(path)
        if folder not in self._known:
            self._known[folder] = self._is_within(os.path.realpath(folder))
        return self._known[folder]

    def holds(self, path: str | Path) -> bool:
        """Whether a file lies within, and no link leads out."""
        if os.path.islink(path):
            return self._is_within(os.path.realpath(path))
        return self.holds_folder_of(path)

    def _is_within(self, path: str) -> bool:
        # The root of a system ends in a slash, others do not.
        return any(
            path == root or path.startswith(root.rstrip(os.sep) + os.sep)
            for root in self._roots
        )


def boundary_of(folders: Iterable[str | Path], allowed: Allowed) -> Boundary | None:
    """Return the boundary of a data set; ``None`` if its images may lie anywhere.

    Args:
        folders: Those of the data.
        allowed: ``True``, ``False``, or further folders.
    """
    if allowed is True:
        return None
    return Boundary([*folders, *(allowed or ())])
