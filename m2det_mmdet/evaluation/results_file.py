"""A file in COCO's results format, of many images."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from ..utils.files import write_whole
from .prediction_log import Entry


def write_results(path: Path, entries: Iterable[Entry]) -> None:
    """Write the records of all images as one list, whole or not at all.

    Args:
        path: The JSON file.
        entries: What was found, an image at a time; they are not kept.

    Raises:
        M2DetError: If the file cannot be written.
    """

    def join(out: BinaryIO) -> None:
        write_list(out, (record for entry in entries for record in entry['records']))
        out.write(b'\n')

    write_whole(path, join)


def write_list(out: BinaryIO, items: Iterable[object]) -> None:
    """Write a JSON list, an item a line."""
    separator = b'['
    for item in items:
        out.write(separator + json.dumps(item, allow_nan=False).encode())
        separator = b',\n'
    out.write(b'[]' if separator == b'[' else b']')
