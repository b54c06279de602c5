"""The files of the visitors."""

from pathlib import Path

import pytest

from m2det_mmdet.web.uploads import Uploads


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / 'x.jpg'
    path.write_bytes(b'picture')
    return path


def test_visitors_with_equal_files_do_not_lose_them(tmp_path: Path, file: Path) -> None:
    uploads = Uploads(tmp_path)
    one, other = uploads.keep(file, 'one'), uploads.keep(file, 'other')
    file.unlink()

    uploads.drop('one')

    assert not one.parent.exists()
    assert other.name == 'x.jpg'
    assert other.read_bytes() == b'picture'


def test_a_visitor_has_one_picture(tmp_path: Path, file: Path) -> None:
    uploads = Uploads(tmp_path)
    first = uploads.keep(file, 'one')
    second = uploads.keep(file.rename(tmp_path / 'y.jpg'), 'one')

    assert not first.exists()
    assert second.read_bytes() == b'picture'


def test_names_of_visitors_lead_nowhere(tmp_path: Path, file: Path) -> None:
    folder = tmp_path / 'pictures'
    folder.mkdir()
    uploads = Uploads(folder)

    for name in ('../..', '/', '', '.', 'a/b'):
        assert uploads.keep(file, name).parent.parent == folder
        uploads.drop(name)
    uploads.drop(None)

    assert list(folder.iterdir()) == []
    assert file.exists()
