import os
from pathlib import Path

import pytest

from m2det_mmdet.utils.errors import M2DetError
from m2det_mmdet.utils.image_search import find_images, images_in
from m2det_mmdet.utils.passed_over import PassedOver
from m2det_mmdet.utils.predicted import SIGN


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


def test_a_missing_input_comes_with_what_is_beside_it(tmp_path: Path) -> None:
    (tmp_path / 'photos').mkdir()
    with pytest.raises(M2DetError, match=r'phots: did you mean photos\?$'):
        find_images([str(tmp_path / 'phots')])
    with pytest.raises(M2DetError, match=r'zzz/a.jpg: check the path'):
        find_images([str(tmp_path / 'zzz' / 'a.jpg')])


def test_the_output_folder_is_left_out(folder: Path) -> None:
    assert _names(folder, '', exclude='sub') == ['a.png', 'b.JPG']


@pytest.mark.parametrize(
    'name',
    [
        '._a.jpg',
        '.hidden.png',
        '.ipynb_checkpoints/a-checkpoint.png',
        '__MACOSX/a.png',
        '@eaDir/a.png/thumb.jpg',
        'Thumbs.db',
        '.DS_Store',
    ],
)
def test_what_systems_leave_in_a_folder_is_no_image(folder: Path, name: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()

    assert _names(folder, '') == ['a.png', 'b.JPG', 'sub/c.jpeg']
    assert _names(folder, '**') == ['a.png', 'b.JPG', 'sub/c.jpeg']


def test_what_systems_leave_may_be_named_beside_images(folder: Path) -> None:
    for name in ('._a.png', 'Thumbs.db', '__MACOSX/._a.png', '.mine.png'):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()

    # As a shell lists the content of the folder.
    names = _names(folder, '._a.png', 'Thumbs.db', '__MACOSX', 'a.png', '.mine.png')

    assert names == ['a.png', '.mine.png']
    with pytest.raises(M2DetError, match=r'There is no image in .*Thumbs\.db: looked'):
        _names(folder, 'Thumbs.db')


def test_a_hidden_folder_may_be_named(tmp_path: Path) -> None:
    (tmp_path / '.cache').mkdir()
    (tmp_path / '.cache' / 'a.png').touch()

    assert _names(tmp_path, '.cache') == ['.cache/a.png']


def test_the_folder_of_pictures_cannot_be_that_of_images(folder: Path) -> None:
    with pytest.raises(M2DetError, match=r'images in .*sub lie in .*sub, where pict'):
        _names(folder, 'sub', exclude='sub')


def test_dots_in_a_path_do_not_make_another_image(tmp_path: Path) -> None:
    for name in ('a/one.jpg', 'two.jpg'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    found = find_images([str(tmp_path / 'a/../two.jpg'), str(tmp_path / 'two.jpg')])

    assert found == [tmp_path / 'two.jpg']


def test_what_is_passed_over_is_told_by_kind_and_name(folder: Path) -> None:
    for name in ('clip.MP4', 'more.txt', 'none', '.hidden.jpg', 'Thumbs.db'):
        (folder / name).touch()
    (folder / 'lost.jpg').symlink_to(folder / 'nowhere')
    (folder / 'round.jpg').symlink_to(folder / 'round.jpg')
    (folder / 'up').symlink_to(folder)
    os.mkfifo(folder / 'pipe.jpg')
    (folder / 'folder.jpg').mkdir()
    passed_over = PassedOver()

    found = images_in(folder, passed_over)

    assert [x.relative_to(folder).as_posix() for x in found] == [
        'a.png',
        'b.JPG',
        'sub/c.jpeg',
    ]
    assert passed_over.sentences() == [
        f'Passed over in {folder}: 4 files (2 .txt, 1 .mp4, 1 without suffix), '
        '2 broken links, 1 linked folder, 1 special file, 2 hidden'
    ]
    assert passed_over.to_dict()[str(folder)]['special files'] == ['pipe.jpg']


def test_a_folder_that_cannot_be_opened_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Rights do not stop root, who runs tests in containers.
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == 'sub':
            raise PermissionError
        return scandir(path)

    monkeypatch.setattr(os, 'scandir', refuse)
    passed_over = PassedOver()

    images_in(folder, passed_over)

    assert '1 folder that cannot be opened' in passed_over.sentences()[0]


@pytest.mark.parametrize('name', ['', '**/*'])
def test_drawn_pictures_of_earlier_predictions_are_no_images(
    folder: Path, name: str
) -> None:
    for place in ('pictures', 'work/predict/pictures', 'mine/pictures'):
        (folder / place).mkdir(parents=True)
        (folder / place / 'x.jpg').touch()
    (folder / 'work/predict/predict.json').write_text(f'{SIGN} 1.0"}}')
    # Of somebody else.
    (folder / 'mine/predict.json').write_text('{}')

    names = _names(folder, name)

    assert sorted(names) == [
        'a.png',
        'b.JPG',
        'mine/pictures/x.jpg',
        'pictures/x.jpg',
        'sub/c.jpeg',
    ]


def test_a_link_to_a_folder_above_gives_each_image_once(folder: Path) -> None:
    (folder / 'sub' / 'up').symlink_to(folder)

    assert _names(folder, '**/*') == ['a.png', 'b.JPG', 'sub/c.jpeg']


def test_special_files_are_never_opened(folder: Path) -> None:
    os.mkfifo(folder / 'pipe.jpg')

    with pytest.raises(M2DetError, match=r'pipe\.jpg is no image but a pipe'):
        _names(folder, 'pipe.jpg')
    with pytest.raises(M2DetError, match=r'no image in .*pipe\*: .* 1 special file'):
        _names(folder, 'pipe*')
    with pytest.raises(M2DetError, match='/dev/null is no image but a pipe, device'):
        find_images(['/dev/null'])


def test_a_link_to_nothing_is_named(folder: Path) -> None:
    (folder / 'lost.jpg').symlink_to(folder / 'nowhere')

    with pytest.raises(M2DetError, match=r'lost\.jpg is no image but a link to noth'):
        _names(folder, 'lost.jpg')
