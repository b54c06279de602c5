"""Lets MMEngine write checkpoints whole or not at all.

Its backend for local files writes in place, so that a full disk or Ctrl-C leaves half a
checkpoint under the name of a whole one.
"""

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from ..utils.files import write_whole


class WholeFilesBackend(LocalBackend):
    """MMEngine's backend for local files, which puts a file in its place at once."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file; what is there is replaced when that is done.

        Raises:
            M2DetError: If it cannot be written.
        """
        write_whole(Path(filepath), lambda file: file.write(obj))


def install() -> None:
    """Take the place of MMEngine's backend."""
    register_backend('local', WholeFilesBackend, force=True, prefixes='')
