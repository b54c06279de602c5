from collections.abc import Callable
from pathlib import Path

import pytest

from m2det_mmdet.export.errors import ExportError
from m2det_mmdet.export.runtimes.openvino import OpenVinoFile


def test_missing_weights_are_told(tiny_file: Callable[..., Path]) -> None:
    path = tiny_file('tiny.xml')
    path.with_suffix('.bin').unlink()

    with pytest.raises(ExportError, match=r'are missing: put tiny\.bin beside it'):
        OpenVinoFile(path)


def test_weights_that_are_too_short_are_told(tiny_file: Callable[..., Path]) -> None:
    path = tiny_file('tiny.xml')
    path.with_suffix('.bin').write_bytes(b'')

    with pytest.raises(ExportError, match=r'cannot be read \(.+\): it is damaged'):
        OpenVinoFile(path)


def test_a_foreign_file_is_told(tiny_file: Callable[..., Path]) -> None:
    path = tiny_file('tiny.xml')
    path.write_text(path.read_text().replace('<m2det', '<other'))

    with pytest.raises(ExportError, match='was not exported by m2det'):
        OpenVinoFile(path)
