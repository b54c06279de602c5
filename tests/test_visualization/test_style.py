from pathlib import Path

import matplotlib
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from m2det_mmdet.visualization import style
from m2det_mmdet.visualization.fonts import FontChoice
from m2det_mmdet.visualization.style import new_figure, set_names, short

STIX = Path(matplotlib.get_data_path(), 'fonts', 'ttf', 'STIXGeneral.ttf')


@pytest.fixture
def text() -> Text:
    return Figure().text(0, 0, 'a', fontsize=7)


def test_a_figure_is_800_pixels_wide() -> None:
    canvas = new_figure(3.5).canvas

    assert canvas.get_width_height() == (800, 350)


def test_a_name_keeps_its_size_in_another_font(
    text: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(style, 'choose_font', lambda text: FontChoice(STIX, f'{text}!'))

    set_names([text])

    assert Path(text.get_fontproperties().get_file()) == STIX
    assert text.get_size() == 7
    assert text.get_text() == 'a!'


def test_a_usual_name_keeps_its_font(text: Text) -> None:
    before = text.get_fontproperties().get_family()

    set_names([text])

    assert text.get_fontproperties().get_family() == before
    assert text.get_fontproperties().get_file() is None


def test_long_names_are_cut() -> None:
    assert short('a cell') == 'a cell'
    assert short('x' * 30) == 'x' * 24 + '...'


def test_a_name_has_nothing_that_no_font_draws() -> None:
    # A character for private use.
    assert short('a\U0010fffd') == 'a\N{REPLACEMENT CHARACTER}'
