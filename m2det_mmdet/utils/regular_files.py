"""Files whose end is known before they are read."""

import errno
import os
import stat
from pathlib import Path


def read_regular(path: Path) -> bytes:
    """Read a file of a data folder that somebody else may have made.

    Reading a pipe would wait for ever, and reading a device may never end.

    Raises:
        OSError: If it is no regular file, there is none, or it cannot be read.
    """
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, 'is no regular file', str(path))
    return path.read_bytes()
