from pathlib import Path
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest

from m2det_mmdet.visualization import fonts
from m2det_mmdet.visualization.fonts import DEFAULT_FONT, choose_font
from m2det_mmdet.visualization.texts import ink_on, paste, text_patch

FOLDER = Path(matplotlib.get_data_path(), 'fonts', 'ttf')
SERIF, STIX = FOLDER / 'DejaVuSerif.ttf', FOLDER / 'STIXGeneral.ttf'
# STIX has it, DejaVu Sans does not.
ONLY_STIX = '\N{LATIN SMALL LETTER D WITH PALATAL HOOK}'
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    """The fonts that matplotlib finds; a test adds its own."""
    entries = []
    monkeypatch.setattr(fonts.fontManager, 'ttflist', entries)
    for function in (fonts._installed, choose_font):
        function.cache_clear()
    yield entries
    for function in (fonts._installed, choose_font):
        function.cache_clear()


def _entry(path: Path) -> SimpleNamespace:
    return SimpleNamespace(fname=str(path), style='normal', weight=400)


def _patch(text: str, size: int = 20, **options: object) -> np.ndarray:
    options = {'ink': BLACK, 'paper': WHITE, 'most': 1000, **options}
    return text_patch(text, size, **options)


def test_dejavu_is_chosen_where_it_has_all(installed: list) -> None:
    installed.append(_entry(STIX))

    assert choose_font('Зебра 1') == (DEFAULT_FONT, 'Зебра 1')


def test_the_first_font_with_all_of_a_name_is_chosen(installed: list) -> None:
    last_resort = FOLDER / 'LastResortHE-Regular.ttf'
    missing = FOLDER / '0.ttf'
    installed += map(_entry, (last_resort, missing, SERIF, STIX))

    assert choose_font(f'a {ONLY_STIX}') == (STIX, f'a {ONLY_STIX}')


def test_what_no_font_has_becomes_a_sign(installed: list) -> None:
    installed.append(_entry(SERIF))

    assert choose_font(f'a {ONLY_STIX}') == (
        DEFAULT_FONT,
        'a \N{REPLACEMENT CHARACTER}',
    )


def test_a_text_gets_the_size_that_it_is_given() -> None:
    small, large = _patch('cell', 20), _patch('cell', 40)

    # An ascent of 0.93 and a descent of 0.24 times the size.
    assert abs(small.shape[0] - 23) <= 1
    assert abs(large.shape[0] - 46) <= 2
    assert large.shape[1] == pytest.approx(2 * small.shape[1], abs=3)


def test_letters_of_other_languages_are_drawn() -> None:
    # One letter of two strokes more, which no other sign stands for.
    plain, marked = _patch('Ю'), _patch('Ё')

    assert (plain < 128).any()
    assert plain.shape[0] == marked.shape[0]
    assert plain.shape != marked.shape or (plain != marked).any()


def test_colours_are_bgr() -> None:
    patch = _patch('M', ink=(255, 0, 0), paper=(0, 0, 255))

    assert patch[0, 0].tolist() == [0, 0, 255]
    assert (patch == (255, 0, 0)).all(axis=2).any()


def test_a_long_text_is_cut_before_its_end() -> None:
    one, other = (_patch(99 * 'cells ', end=end, most=150) for end in (' 0.5', ' 0.6'))

    assert 130 < one.shape[1] <= 150
    # The last digit alone differs, which is 13 pixels wide at the most.
    columns = (one != other).any(axis=(0, 2)).nonzero()[0]
    assert len(columns) > 3
    assert columns.min() > one.shape[1] - 4 - 13
    assert _patch('cells', end=' 0.5', most=20).shape[1] == 20


def test_lines_become_one() -> None:
    assert (_patch('a\n b') == _patch('a b')).all()


@pytest.mark.parametrize('place', [(-9, -9), (3, 2), (99, 99)])
def test_a_patch_is_moved_inside(place: tuple[int, int]) -> None:
    picture = np.zeros((6, 8, 3), np.uint8)

    paste(picture, np.full((2, 3, 3), 7, np.uint8), *place)

    left, top = min(max(0, place[0]), 5), min(max(0, place[1]), 4)
    assert (picture[top : top + 2, left : left + 3] == 7).all()
    assert (picture == 7).sum() == 18


def test_a_patch_larger_than_the_picture_is_cut() -> None:
    picture = np.zeros((6, 8, 3), np.uint8)

    paste(picture, np.full((9, 9, 3), 7, np.uint8), 1, 1)

    assert (picture == 7).all()


@pytest.mark.parametrize(
    ('paper', 'ink'),
    [(WHITE, BLACK), ((0, 255, 255), BLACK), (BLACK, WHITE), ((255, 0, 0), WHITE)],
)
def test_letters_stand_out(paper: tuple, ink: tuple) -> None:
    assert ink_on(paper) == ink
