"""What was found, image by image, on disk as soon as an image is done."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ..utils.files import writing

# An entry of an image: file_name, image_id, width, height (pixels), records (COCO's
# results of it), and problem, a sentence, where it has no picture.
Entry = dict[str, Any]


class PredictionLog:
    """A file with a line, JSON, for each image that is done.

    A process that is killed leaves the lines of the images that were done. A line that
    was cut does not count.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: BinaryIO | None = None

    @property
    def is_open(self) -> bool:
        """Whether entries can be added."""
        return self._lines is not None

    def open(self) -> None:
        """Begin, or go on behind the last whole line.

        Raises:
            M2DetError: If the file cannot be written.
        """
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lines = open(self.path, 'ab')  # noqa: SIM115
            self._lines.truncate(sum(map(len, self._whole_lines())))

    def add(self, entry: Entry) -> None:
        """Write the entry of an image.

        Raises:
            M2DetError: If it cannot be written.
            ValueError: If it holds a number that JSON lacks.
        """
        line = json.dumps(entry, allow_nan=False).encode() + b'\n'
        with writing(self.path):
            self._lines.write(line)
            self._lines.flush()

    def close(self) -> None:
        """End writing.

        Raises:
            M2DetError: If what was added cannot be written.
        """
        if self._lines is not None:
            lines, self._lines = self._lines, None
            with writing(self.path):
                lines.close()

    def entries(self) -> Iterator[Entry]:
        """Read the entries that are in the file, one at a time."""
        yield from map(json.loads, self._whole_lines())

    def in_order(self, names: Sequence[str]) -> Callable[[], Iterator[Entry]]:
        """Return what reads the entries in an order of their images.

        Several processes finish images in any order.

        Args:
            names: Of the images, in their order.

        Returns:
            A function as :meth:`entries`, for as long as nothing is added.
        """
        places = {name: place for place, name in enumerate(names)}
        starts: dict[int, int] = {}
        start = 0
        for line in self._whole_lines():
            starts[places[json.loads(line)['file_name']]] = start
            start += len(line)
        ordered = [starts[place] for place in sorted(starts)]

        def read() -> Iterator[Entry]:
            if not ordered:
                return
            with open(self.path, 'rb') as lines:
                for start in ordered:
                    lines.seek(start)
                    yield json.loads(lines.readline())

        return read

    def count(self) -> int:
        """Count the images that are done."""
        return sum(1 for _ in self._whole_lines())

    def _whole_lines(self) -> Iterator[bytes]:
        """Yield the lines up to one that was cut, as by a full disk."""
        if not self.path.is_file():
            return
        with open(self.path, 'rb') as lines:
            for line in lines:
                if not line.endswith(b'\n'):
                    return
                yield line
