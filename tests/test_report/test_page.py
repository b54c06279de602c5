import base64
import re

import cv2
import numpy as np
import pytest

from m2det_mmdet.report.page import (
    Part,
    Picture,
    Section,
    Table,
    photo,
    plot,
    plot_of_photos,
    render,
)
from m2det_mmdet.visualization.style import new_figure


def page(*parts: Part) -> str:
    return render('Run', 'sub', {'AP': '0.5'}, [Section('My part', parts)])


def test_a_page_needs_no_network() -> None:
    figure = new_figure(2)
    figure.add_subplot().plot([1, 2])
    pictures = [plot(figure, 'A plot'), photo(np.zeros((4, 4, 3), np.uint8), 'Black')]

    text = page(Part(pictures=pictures))

    sources = re.findall(r'(?:src|href)="([^"]{0,20})', text)
    assert sources
    assert all(x.startswith(('data:image/', '#')) for x in sources)
    assert '<script' not in text
    assert '@import' not in text
    assert 'url(' not in text


def test_commands_in_sentences_are_set_as_such() -> None:
    text = page(Part(text=['Call `m2det <b>`, a lone ` too.']))

    assert '<p>Call <code>m2det &lt;b&gt;</code>, a lone ` too.</p>' in text


def test_names_cannot_change_the_page() -> None:
    evil = '<script>alert(1)</script>"&'
    table = Table([evil, 'x'], [(evil, evil)])
    picture = Picture('data:,', evil, evil)

    text = render(evil, evil, {evil: evil}, [Section(evil, [Part(evil, [evil])])])
    text += page(Part(tables=[table], pictures=[picture]))

    assert '<script' not in text
    assert 'alt="&lt;script&gt;alert(1)&lt;/script&gt;&#34;&amp;"' in text


def test_words_stand_on_the_left_and_figures_on_the_right() -> None:
    text = page(Part(tables=[Table(['a', 'b', 'c'], [('1', '2', '3')], words=2)]))

    assert '<td class="words">1</td><td class="words">2</td><td>3</td>' in text


def test_contents_lead_to_each_section() -> None:
    text = page()

    assert '<a href="#my-part">My part</a>' in text
    assert '<section id="my-part">' in text


def _pixels(picture: Picture) -> np.ndarray:
    data = base64.b64decode(picture.source.removeprefix('data:image/jpeg;base64,'))
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def test_a_huge_photo_is_made_smaller() -> None:
    # Wider than a JPEG can be.
    image = np.full((35, 70_000, 3), 90, np.uint8)
    assert _pixels(photo(image, 'Gray')).shape == (1, 2000, 3)


@pytest.mark.slow
def test_a_plot_of_photos_is_one() -> None:
    figure = new_figure(4)
    figure.set_facecolor('red')
    pixels = _pixels(plot_of_photos(figure, 'Red'))

    assert pixels.shape == (1000, 2000, 3)
    assert np.abs(pixels.mean((0, 1)) - (0, 0, 255)).max() < 3


def test_a_photo_is_a_jpeg_of_the_image() -> None:
    import cv2

    image = np.full((10, 20, 3), (0, 0, 200), np.uint8)

    data = base64.b64decode(photo(image, 'Red').source.partition(',')[2])

    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert read.shape == image.shape
    assert abs(read.astype(int) - image).max() < 6


def test_a_plot_is_the_same_each_time() -> None:
    def draw() -> str:
        figure = new_figure(2)
        figure.add_subplot().plot([1, 3, 2])
        return plot(figure, 'A plot').source

    assert draw() == draw()
