from pathlib import Path

import pytest

from m2det_mmdet.utils.images import common_folder, find_images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ('b.JPG', 'a.png', 'notes.txt', 'sub/c.jpeg'):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def _names(folder: Path, *inputs: str, exclude: str = 'out') -> list[str]:
    found = find_images([str(folder / name) for name in inputs], folder / exclude)
    return [path.relative_to(folder).as_posix() for path in found]


@pytest.mark.parametrize(
    ('inputs', 'names'),
    [
        ([''], ['a.png', 'b.JPG', 'sub/c.jpeg']),
        (['*.png'], ['a.png']),
        (['**/*.jp*g'], ['sub/c.jpeg']),
        (['sub', 'a.png', '*'], ['sub/c.jpeg', 'a.png', 'b.JPG']),
        (['notes.txt'], ['notes.txt']),
    ],
    ids=['folder', 'glob', 'deep glob', 'each once', 'any file by name'],
)
def test_inputs(folder: Path, inputs: list[str], names: list[str]) -> None:
    assert _names(folder, *inputs) == names


def test_the_output_folder_is_left_out(folder: Path) -> None:
    assert _names(folder, '', exclude='sub') == ['a.png', 'b.JPG']


def test_names_in_the_common_folder_are_unique(folder: Path) -> None:
    paths = find_images([str(folder / 'a.png'), str(folder / 'sub')], folder / 'out')

    assert common_folder(paths) == folder
    assert common_folder(paths[1:]) == folder / 'sub'


def test_dots_in_a_path_do_not_lead_out_of_the_common_folder(tmp_path: Path) -> None:
    for name in ('a/one.jpg', 'two.jpg'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b'')
    paths = find_images(
        [str(tmp_path / 'a/one.jpg'), str(tmp_path / 'a/../two.jpg')],
        exclude=tmp_path / 'out',
    )

    root = common_folder(paths)
    assert [str(path.relative_to(root)) for path in paths] == ['a/one.jpg', 'two.jpg']
