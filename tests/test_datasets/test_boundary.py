"""Which paths stay within the folders of the data."""

from pathlib import Path

import pytest

from m2det_mmdet.datasets.boundary import Boundary, boundary_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data folder ``data`` with links, beside a folder ``other``."""
    for folder in ('data/images', 'other'):
        (tmp_path / folder).mkdir(parents=True)
    for file in ('data/images/a.jpg', 'other/b.jpg', 'data2.jpg'):
        (tmp_path / file).touch()
    (tmp_path / 'data/out.jpg').symlink_to(tmp_path / 'other/b.jpg')
    (tmp_path / 'data/in.jpg').symlink_to('images/a.jpg')
    (tmp_path / 'data/folder').symlink_to(tmp_path / 'other')
    (tmp_path / 'link').symlink_to('data')
    return tmp_path / 'data'


@pytest.mark.parametrize(
    ('name', 'is_inside'),
    [
        ('images/a.jpg', True),
        ('images/../images/a.jpg', True),
        ('missing.jpg', True),
        ('in.jpg', True),
        ('../other/b.jpg', False),
        ('../data2.jpg', False),
        ('out.jpg', False),
        ('folder/b.jpg', False),
        ('/etc/passwd', False),
    ],
)
def test_paths_and_links_that_lead_out_are_told(
    root: Path, name: str, is_inside: bool
) -> None:
    assert Boundary([root]).holds(root / name) is is_inside
    # The folder may be reached by a link, and so may the file.
    assert Boundary([root.parent / 'link']).holds(root / name) is is_inside
    assert Boundary([root]).holds(root.parent / 'link' / name) is is_inside


def test_a_link_of_a_file_is_not_seen_by_its_folder(root: Path) -> None:
    boundary = Boundary([root])

    assert boundary.holds_folder_of(root / 'out.jpg')
    assert not boundary.holds_folder_of(root / 'folder/b.jpg')


def test_further_folders_are_allowed(root: Path) -> None:
    other = root.parent / 'other'

    assert boundary_of([root], allowed=True) is None
    assert boundary_of([root], allowed=[other]).holds(root / 'out.jpg')
    assert not boundary_of([root], allowed=False).holds(root / 'out.jpg')
    assert boundary_of([Path('/')], allowed=()).holds('/etc/passwd')
