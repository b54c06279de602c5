"""What is checked of a file before it is read: that its parts are not larger."""

import zipfile
from typing import BinaryIO

from ..utils.texts import one_line
from .errors import Refusal


def check_archive(file: str | BinaryIO, size: int) -> None:
    """Check the parts of a zip archive; other files pass.

    torch stores each tensor as it is. A compressed part, or parts that lie over each
    other, may hold a thousand times the bytes of the file.

    Args:
        file: Path of the file, or the open file, which stands at its begin afterwards.
        size: Bytes of the file.

    Raises:
        Refusal: If a part is compressed, or the parts are larger than the file.
    """
    if not zipfile.is_zipfile(file):
        return
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
    if not isinstance(file, str):
        file.seek(0)
    for part in parts:
        if part.compress_type != zipfile.ZIP_STORED:
            name = one_line(part.filename, 60)
            raise Refusal(f'its part {name} is compressed, as torch writes none')
    if sum(part.file_size for part in parts) > size:
        raise Refusal('its parts are larger than the file')
