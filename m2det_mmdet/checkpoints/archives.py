"""What is checked of a file before it is read: that its parts are not larger.

torch reads a zip archive with one library and this package looks at it with another.
Both have to see the same parts, so that what is checked is what is read.
"""

import io
import os
import struct
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

from ..utils.texts import one_line
from .errors import Refusal

# By which torch knows its archives.
_HEAD = b'PK\x03\x04'
# What is before the name of a part, and then its further fields, and its bytes.
_LOCAL = struct.Struct('<4s5H3L2H')
# The record at the end of an archive, and those before it in one with large numbers.
_END = struct.Struct('<4s4H2LH')
_LOCATOR = struct.Struct('<4sLQL')
_END64 = struct.Struct('<4sQ2H2L4Q')


def is_archive(file: BinaryIO) -> bool:
    """Whether torch takes an open file for a zip archive; it stands at its begin."""
    file.seek(0)
    head = file.read(len(_HEAD))
    file.seek(0)
    return head == _HEAD


def check_archive(file: str | BinaryIO, size: int) -> None:
    """Check the parts of a zip archive; other files pass.

    torch stores each tensor as it is. A compressed part, or parts that lie over each
    other, may hold a thousand times the bytes of the file.

    Args:
        file: Path of the file, or the open file, which stands at its begin afterwards.
        size: Bytes of the file.

    Raises:
        Refusal: If the list of the parts is not at the end of the file, two have the
            same name, one is compressed, or the parts are larger than the file.
        BadZipFile: If the file is damaged.
    """
    if isinstance(file, str):
        with open(file, 'rb') as opened:
            check_archive(opened, size)
        return
    if not is_archive(file):
        return
    _check_end(file, size)
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
    file.seek(0)
    for part in parts:
        if part.compress_type != zipfile.ZIP_STORED:
            name = one_line(part.filename, 60)
            raise Refusal(f'its part {name} is compressed, as torch writes none')
    # torch finds a part by its name in letters of any case.
    for name, count in Counter(x.filename.lower() for x in parts).most_common(1):
        if count > 1:
            raise Refusal(f'it has {count} parts of the name {one_line(name, 60)}')
    if sum(part.file_size for part in parts) > size:
        raise Refusal('its parts are larger than the file')


def pickles_in(file: BinaryIO) -> Iterator[BinaryIO]:
    """Yield the pickles of an archive that :func:`check_archive` has passed.

    Their bytes are those that torch reads, which compares no checksum.

    Raises:
        BadZipFile: If the file ends before them.
    """
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
    for part in parts:
        if part.filename.lower().endswith('data.pkl'):
            file.seek(part.header_offset)
            head = file.read(_LOCAL.size)
            if len(head) < _LOCAL.size:
                raise zipfile.BadZipFile('a part begins after the end of the file')
            *_, name, extra = _LOCAL.unpack(head)
            file.seek(name + extra, os.SEEK_CUR)
            yield io.BytesIO(file.read(part.file_size))


def _check_end(file: BinaryIO, size: int) -> None:
    """Check that the list of the parts ends where the archive's last record begins.

    Else one reader finds the list by where it should begin, and another one by where
    it ends.
    """
    tail = min(size, _END64.size + _LOCATOR.size + _END.size)
    file.seek(size - tail)
    last = file.read(tail)
    file.seek(0)
    place = size - _END.size
    if len(last) < _END.size:
        raise zipfile.BadZipFile('the file is too short')
    sign, *_, length, start, comment = _END.unpack(last[-_END.size :])
    if sign != b'PK\x05\x06' or comment:
        raise zipfile.BadZipFile('the file does not end as an archive')
    if len(last) == tail == _END64.size + _LOCATOR.size + _END.size:
        locator = _LOCATOR.unpack(last[_END64.size : -_END.size])
        if locator[0] == b'PK\x06\x07':
            place -= _LOCATOR.size + _END64.size
            sign, *_, length, start = _END64.unpack(last[: _END64.size])
            if sign != b'PK\x06\x06' or locator[2] != place:
                raise Refusal('it is an archive with two ends')
    if start + length != place:
        raise Refusal('its list of parts is not where it should be')
