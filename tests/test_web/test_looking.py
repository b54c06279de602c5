"""Looks at pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from m2det_mmdet import Detector
from m2det_mmdet.export.detector import ExportedDetector
from m2det_mmdet.report.page import render_sections
from m2det_mmdet.utils.errors import M2DetError
from m2det_mmdet.web import looking
from m2det_mmdet.web.looking import Looker


def test_finds_what_the_detector_finds(looker: Looker, pictures: list[Path]) -> None:
    detector = Detector('m2det_r18_scenes', device='cpu')
    for picture in pictures:
        expected = detector(picture)

        look = looker.look(picture)
        found = look.choose(0.0)

        assert len(look.found) > len(found) > 0
        for name in ('boxes', 'scores', 'labels'):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_chooses_without_the_network(
    looker: Looker, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    look = looker.look(pictures[0])
    monkeypatch.setattr(looker.detector.inferencer, 'model', None)

    counts = [len(look.choose(score)) for score in (0.0, 0.5, 1.0)]

    assert counts[0] > counts[1] > counts[2] == 0
    assert len(look.choose(0.0, 'hard', 0.0)) < len(look.choose(0.0, 'hard', 1.0))


def test_the_page_has_a_smaller_picture(
    looker: Looker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, '_LONGEST', 100)
    monkeypatch.setattr(looking, '_SHORTEST', 50)
    cv2.imwrite(str(tmp_path / 'x.png'), np.full((80, 200, 3), 128, np.uint8))

    look = looker.look(tmp_path / 'x.png')

    assert look.found.size == (200, 80)
    assert look.draw(look.choose(1.0)).shape == (40, 100, 3)
    monkeypatch.setattr(looking, '_SHORTEST', 150)
    assert look.draw(look.choose(1.0)).shape == (60, 150, 3)
    # Only the name is known afterwards.
    assert look.found.path == Path('x.png')


def test_refuses_too_many_pixels_and_what_is_no_picture(
    looker: Looker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, 'MOST_PIXELS', 99)
    cv2.imwrite(str(tmp_path / 'x.png'), np.zeros((10, 10, 3), np.uint8))
    (tmp_path / 'text.jpg').write_text('text')

    with pytest.raises(M2DetError, match=r'x\.png has 100 .*limit is 99: give'):
        looker.look(tmp_path / 'x.png')
    with pytest.raises(M2DetError, match=r'text\.jpg is no image that can be read'):
        looker.look(tmp_path / 'text.jpg')


@pytest.mark.slow
def test_tells_why_an_object_was_found(looker: Looker, pictures: list[Path]) -> None:
    look = looker.look(pictures[0])
    found = next(iter(look.choose(0.3)))

    text = render_sections(look.explain(found))

    assert f'<td class="words">{found.name}</td><td>{found.score:.3f}</td>' in text
    # The object, the bars, and the maps of its class.
    assert text.count('<img') == 3
    assert 'SFAM multiplies' in text


def test_an_exported_file_is_not_looked_into(
    looker: Looker, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    look = looker.look(pictures[0])
    found = next(iter(look.choose(0.3)))
    exported = ExportedDetector('x.onnx', looker.detector.classes)
    monkeypatch.setattr(looker.detector.inferencer, 'model', exported)

    with pytest.raises(M2DetError, match='An exported file has no levels that can be'):
        look.explain(found)


def test_a_picture_that_has_gone_is_told(looker: Looker, tmp_path: Path) -> None:
    path = tmp_path / 'x.png'
    cv2.imwrite(str(path), np.zeros((10, 10, 3), np.uint8))
    look = looker.look(path)
    path.unlink()

    with pytest.raises(M2DetError, match=r'There is no image .*x\.png'):
        look.explain(next(iter(look.found)))
