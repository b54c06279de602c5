from pathlib import Path

import pytest

from m2det_mmdet.datasets import copies
from m2det_mmdet.datasets.copies import same_files


def _write(folder: Path, contents: dict[str, bytes]) -> list[Path]:
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def test_files_of_the_same_bytes_are_grouped(tmp_path: Path) -> None:
    # The last two differ far from the middle, of which a sample is compared first.
    long = b'x' * 100_000
    paths = _write(
        tmp_path,
        {
            'a': b'one',
            'b': b'two',
            'c': b'one',
            'd': long + b'1',
            'e': b'two',
            'f': b'one',
            'g': long + b'2',
        },
    )

    assert same_files([*paths, tmp_path / 'none']) == [[0, 2, 5], [1, 4]]


def test_files_that_differ_in_the_middle_are_not_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, 'sha256_of', None)

    assert same_files(_write(tmp_path, {'a': b'1' * 50_000, 'b': b'2' * 50_000})) == []


def test_files_alone_in_their_size_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, '_sample', None)

    assert same_files(_write(tmp_path, {'a': b'1', 'b': b'22'})) == []
