"""A file of COCO's results format that grows image by image."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from ..utils.errors import M2DetError
from ..utils.files import check_output, write_whole, writing


class ResultsFile:
    """Records that are on disk as soon as their image is done.

    While it is open, they are lines of ``<name>.partial.jsonl`` beside the file: one an
    image, a JSON list of its records. When it closes, also by an error or Ctrl-C, they
    become the file, at once; an older one stays where no image was done. A process that
    is killed leaves the lines.

    Args:
        path: The JSON file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name(f'{path.stem}.partial.jsonl')
        self.num_images = 0
        self._lines: BinaryIO

    def check(self, *, force: bool) -> None:
        """Stop before any work where results would be replaced without ``force``.

        Raises:
            M2DetError: If there are results, or lines of a run that was killed.
        """
        if self.partial.exists() and not force:
            raise M2DetError(
                f'{self.partial} exists: a run is writing it, or one that was killed '
                'has left there the results of the images that were done, a line an '
                'image; give another output folder, or --force to replace it.'
            )
        check_output(self.path, force=force)

    def __enter__(self) -> 'ResultsFile':
        with writing(self.partial):
            self.partial.parent.mkdir(parents=True, exist_ok=True)
            self._lines = open(self.partial, 'wb')  # noqa: SIM115
        return self

    def add(self, records: Sequence[dict[str, Any]]) -> None:
        """Write the records of an image.

        Raises:
            M2DetError: If they cannot be written.
        """
        line = json.dumps(records, allow_nan=False).encode() + b'\n'
        with writing(self.partial):
            self._lines.write(line)
            self._lines.flush()
        self.num_images += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with writing(self.partial):
            self._lines.close()
        if kind is None or self.num_images:
            write_whole(self.path, self._join)
        self.partial.unlink(missing_ok=True)

    def _join(self, out: BinaryIO) -> None:
        """Write the lines as one list."""
        separator = b'['
        with open(self.partial, 'rb') as lines:
            for line in lines:
                records = line.strip()[1:-1]
                # A full disk cuts the last line.
                if records and line.endswith(b'\n'):
                    out.write(separator + records)
                    separator = b',\n'
        out.write(b']\n' if separator == b',\n' else b'[]\n')
