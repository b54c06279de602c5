"""The page that detects in a browser."""

import json
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnx
import pytest

from m2det_mmdet import Detector
from m2det_mmdet.datasets.scenes import write_scenes
from m2det_mmdet.export.metadata import KEY

from ..browser import Browser

PAGE = Path(__file__).parents[2] / 'examples' / 'browser'
ROWS = """
return [...document.querySelectorAll('#objects tr')].map((row) => [
  row.cells[0].textContent, row.cells[1].textContent, ...row.dataset.box.split(' ')]);
"""


needs_page = pytest.mark.skipif(
    not (PAGE / 'node_modules').is_dir(), reason='needs npm install in examples/browser'
)


def said(browser: Browser, *, after: str | tuple[str, ...]) -> str:
    """Wait until the page says something that does not start with ``after``."""
    starts = json.dumps([after] if isinstance(after, str) else after)
    return browser.wait(f"""
        const text = document.getElementById('status').textContent;
        return {starts}.some((start) => text.startsWith(start)) ? '' : text;
    """)


def choose(browser: Browser, image: Path) -> str:
    """Choose a picture; return what the page says of it in the end."""
    browser.run("document.getElementById('status').textContent = 'Looking'")
    browser.give('#file', image)
    return said(browser, after='Looking')


@pytest.fixture
def page(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """The page in a folder of its own, without a model, and its address."""
    for name in ('index.html', 'detect.js'):
        shutil.copy(PAGE / name, tmp_path)
    (tmp_path / 'node_modules').symlink_to(PAGE / 'node_modules')
    quiet = type('Quiet', (SimpleHTTPRequestHandler,), {'log_message': lambda *_: None})
    server = ThreadingHTTPServer(('127.0.0.1', 0), partial(quiet, directory=tmp_path))
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield tmp_path, f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def test_the_page_asks_no_other_server() -> None:
    for name in ('index.html', 'detect.js'):
        assert '://' not in (PAGE / name).read_text()


@needs_page
@pytest.mark.slow
def test_finds_what_the_detector_finds(
    browser: Browser, page: tuple[Path, str], scenes_onnx: Path
) -> None:
    folder, address = page
    shutil.copy(scenes_onnx, folder / 'model.onnx')
    scenes = folder / 'scenes'
    write_scenes(scenes, num_train=1, num_val=1, num_test=3, size=(320, 240), seed=5)
    detector = Detector('m2det_r18_scenes', device='cpu')

    browser.open(address)
    assert said(browser, after='Loading') == 'Ready.'
    for image in sorted((scenes / 'test').iterdir()):
        expected = [x for x in detector(image) if x.score >= 0.3]
        assert len(expected) > 1

        text = choose(browser, image)

        assert text.startswith(f'{image.name}: {len(expected)} objects')
        rows = browser.run(ROWS)
        assert [row[0] for row in rows] == [x.name for x in expected]
        found = np.float64([row[1:] for row in rows])
        scores = np.float64([x.score for x in expected])
        np.testing.assert_allclose(found[:, 0], scores, atol=1e-3)
        boxes = np.float64([x.box for x in expected])
        np.testing.assert_allclose(found[:, 1:], boxes, atol=0.1)


@needs_page
@pytest.mark.slow
def test_the_slider_shows_what_has_the_score(
    browser: Browser, page: tuple[Path, str], scenes_onnx: Path
) -> None:
    folder, address = page
    shutil.copy(scenes_onnx, folder / 'model.onnx')
    scenes = folder / 'scenes'
    write_scenes(scenes, num_train=1, num_val=1, num_test=1, size=(320, 240), seed=5)
    image = scenes / 'test' / '000001.jpg'
    browser.open(address)
    said(browser, after='Loading')
    choose(browser, image)
    scores = [x.score for x in Detector('m2det_r18_scenes', device='cpu')(image)]

    for lowest in (0.0, 0.99):
        browser.run(f"""
            const slider = document.getElementById('lowest');
            slider.value = {lowest};
            slider.dispatchEvent(new Event('input'));
        """)
        rows = browser.run(ROWS)
        assert len(rows) == sum(score >= lowest for score in scores)
    assert 0 < len(rows) < len(scores)


@needs_page
@pytest.mark.slow
def test_a_dropped_picture_is_looked_at(
    browser: Browser, page: tuple[Path, str], scenes_onnx: Path
) -> None:
    folder, address = page
    shutil.copy(scenes_onnx, folder / 'model.onnx')
    scenes = folder / 'scenes'
    write_scenes(scenes, num_train=1, num_val=1, num_test=1, size=(320, 240), seed=5)
    browser.open(address)
    said(browser, after='Loading')

    browser.run("""
        return fetch('scenes/test/000001.jpg').then((answer) => answer.blob())
          .then((blob) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([blob], 'dropped.jpg'));
            document.dispatchEvent(new DragEvent('drop', { dataTransfer }));
          });
    """)

    assert said(browser, after=('Ready', 'Looking')).startswith('dropped.jpg: 5 ob')


@needs_page
@pytest.mark.slow
def test_a_file_that_is_no_picture_is_named(
    browser: Browser, page: tuple[Path, str], scenes_onnx: Path
) -> None:
    folder, address = page
    shutil.copy(scenes_onnx, folder / 'model.onnx')
    text = folder / 'text.png'
    text.write_text('no picture')
    browser.open(address)
    said(browser, after='Loading')

    assert choose(browser, text) == 'text.png is no picture that this browser reads.'


@needs_page
@pytest.mark.slow
def test_a_missing_or_foreign_model_is_one_sentence(
    browser: Browser, page: tuple[Path, str], scenes_onnx: Path
) -> None:
    folder, address = page
    browser.open(address)
    assert said(browser, after='Loading') == (
        'There is no model.onnx beside this page: write it by m2det export.'
    )

    model = onnx.load(scenes_onnx)
    about = json.loads(model.metadata_props[0].value)
    told = {}
    for name, changes in (('raw', {'suppression': None}), ('later', {'format': 2})):
        text = json.dumps({**about, **changes})
        onnx.helper.set_model_props(model, {KEY: text})
        onnx.save(model, folder / 'model.onnx')
        browser.open(address)
        told[name] = said(browser, after='Loading')
    (folder / 'model.onnx').write_bytes(b'no model')
    browser.open(address)
    told['damaged'] = said(browser, after='Loading')

    assert told == {
        'raw': 'model.onnx suppresses no boxes: export it with --nms soft or hard.',
        'later': 'model.onnx has format 2, this page knows 1.',
        'damaged': 'model.onnx was not written by m2det export.',
    }


@needs_page
@pytest.mark.slow
def test_a_missing_runtime_is_one_sentence(
    browser: Browser, page: tuple[Path, str]
) -> None:
    folder, address = page
    (folder / 'node_modules').unlink()

    browser.open(address)

    assert said(browser, after='Loading') == (
        'There is no onnxruntime-web: run npm install in this folder.'
    )
