"""The files of a page: HTML, and its figures beside it."""

import json
from pathlib import Path
from typing import Any, BinaryIO

from ..utils.arguments import check_paths
from ..utils.errors import M2DetError
from ..utils.files import check_output, write_whole

SUFFIXES = ('.html', '.htm')


def page_to_write(out: str | Path | None, *, force: bool) -> Path | None:
    """Return the HTML file that a caller names, if it and its JSON may be written.

    Args:
        out: The file, or ``None`` for none.
        force: Whether files there may be replaced.

    Raises:
        M2DetError: If it has another suffix, or cannot be written.
    """
    check_paths(out=out)
    if out is None:
        return None
    page = Path(out)
    if page.suffix.lower() not in SUFFIXES:
        raise M2DetError(f'{out} must end in .html.')
    return check_page(page, force=force)


def check_page(page: Path, *, force: bool) -> Path:
    """Return a page as it is to be written, if it and its JSON may be.

    Args:
        page: The HTML file.
        force: Whether files there may be replaced.

    Raises:
        M2DetError: If one of them cannot be written.
    """
    # The one that was named first: its sentence says more.
    found = check_output(page, force=force)
    check_output(page.with_suffix('.json'), force=force)
    return found


def write_page(page: Path, text: str, figures: dict[str, Any]) -> None:
    """Write a page, and its figures as JSON beside it: both or none.

    Args:
        page: The HTML file; the JSON has its name and another suffix.
        text: What is in it.
        figures: What JSON can hold, without numbers that are none.

    Raises:
        M2DetError: If one of them cannot be written.
    """
    content = json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False)

    def write(file: BinaryIO) -> None:
        # The figures are on the disk before the page is put in its place.
        file.write(_encoded(f'{content}\n'))
        file.flush()
        write_whole(page, lambda other: other.write(_encoded(text)))

    write_whole(page.with_suffix('.json'), write)


def _encoded(text: str) -> bytes:
    # A name of a file that is not UTF-8 holds what no encoding has.
    return text.encode(errors='backslashreplace')
