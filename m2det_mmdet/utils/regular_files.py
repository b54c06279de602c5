"""Files whose end is known before they are read."""

import errno
import os
import stat
from pathlib import Path


def check_regular(path: str | Path) -> None:
    """Stop where reading would wait for ever, or never end: at a pipe or a device.

    Raises:
        OSError: If it is no regular file, or there is none.
    """
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, 'is no regular file', str(path))


def read_regular(path: Path) -> bytes:
    """Read a file of a data folder that somebody else may have made.

    Raises:
        OSError: As :func:`check_regular`, or if it cannot be read.
    """
    check_regular(path)
    return path.read_bytes()
