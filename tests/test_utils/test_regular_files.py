"""Pipes and devices are not read."""

import os
from pathlib import Path

import pytest

from m2det_mmdet.utils.regular_files import read_regular


def test_files_are_read_and_pipes_are_not(tmp_path: Path) -> None:
    (tmp_path / 'a').write_bytes(b'abc')
    (tmp_path / 'link').symlink_to('a')
    os.mkfifo(tmp_path / 'pipe')

    assert read_regular(tmp_path / 'a') == read_regular(tmp_path / 'link') == b'abc'
    for path in (tmp_path / 'pipe', Path('/dev/zero')):
        with pytest.raises(OSError, match='is no regular file'):
            read_regular(path)
    with pytest.raises(IsADirectoryError):
        read_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / 'b')
