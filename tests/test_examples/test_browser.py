"""The page that detects in a browser."""

import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import numpy as np
import onnx
import pytest

from m2det_mmdet import Detector
from m2det_mmdet.datasets.scenes import write_scenes
from m2det_mmdet.export.metadata import KEY

PAGE = Path(__file__).parents[2] / 'examples' / 'browser'
CHROMIUM, DRIVER = shutil.which('chromium'), shutil.which('chromedriver')
ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'  # The key that WebDriver gives it.
PATIENCE = 60  # seconds
ROWS = """
return [...document.querySelectorAll('#objects tr')].map((row) => [
  row.cells[0].textContent, row.cells[1].textContent, ...row.dataset.box.split(' ')]);
"""


def needs_browser(test: Callable) -> Callable:
    """Leave a test to where there are a browser and the page's package."""
    for condition, reason in (
        (CHROMIUM and DRIVER, 'needs chromium and chromium-driver'),
        ((PAGE / 'node_modules').is_dir(), 'needs npm install in examples/browser'),
    ):
        test = pytest.mark.skipif(not condition, reason=reason)(test)
    return pytest.mark.slow(test)


class Browser:
    """Chromium without a window, by the WebDriver protocol."""

    def __init__(self, address: str) -> None:
        self._address = f'{address}/session'
        options = {
            'binary': CHROMIUM,
            'args': ['--headless=new', '--no-sandbox', '--disable-dev-shm-usage'],
        }
        wanted = {'alwaysMatch': {'goog:chromeOptions': options}}
        session = self._post('', {'capabilities': wanted})['sessionId']
        self._address += f'/{session}'

    def _post(self, path: str, values: dict) -> Any:
        content = json.dumps(values).encode()
        headers = {'Content-Type': 'application/json'}
        request = Request(self._address + path, content, headers)
        with urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)['value']

    def open(self, address: str) -> None:
        self._post('/url', {'url': address})

    def run(self, script: str) -> Any:
        return self._post('/execute/sync', {'script': script, 'args': []})

    def status(self, *, after: str | tuple[str, ...]) -> str:
        """Wait until the page says something that does not start with ``after``."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            text = self.run("return document.getElementById('status').textContent")
            if not text.startswith(after):
                return text
            time.sleep(0.1)
        raise TimeoutError(f'The page still says {text!r}.')

    def choose(self, image: Path) -> str:
        """Choose a picture; return what the page says of it in the end."""
        self.run("document.getElementById('status').textContent = 'Looking'")
        place = {'using': 'css selector', 'value': '#file'}
        element = self._post('/element', place)[ELEMENT]
        self._post(f'/element/{element}/value', {'text': str(image)})
        return self.status(after='Looking')

    def quit(self) -> None:
        with urlopen(Request(self._address, method='DELETE'), timeout=PATIENCE):
            pass


@pytest.fixture(scope='module')
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    argv = [DRIVER, '--port=0']
    log = tmp_path_factory.mktemp('driver') / 'log.txt'
    with open(log, 'w') as file, subprocess.Popen(argv, stdout=file) as process:
        try:
            found = Browser(_address_in(log))
            yield found
            found.quit()
        finally:
            process.terminate()


def _address_in(log: Path) -> str:
    """Wait until a driver tells its port."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := re.search(r'on port (\d+)\.', text := log.read_text()):
            return f'http://127.0.0.1:{found[1]}'
        time.sleep(0.1)
    raise URLError(f'chromedriver does not start: {text}')


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


@needs_browser
def test_finds_what_the_detector_finds(
    browser: Browser, page: tuple[Path, str], scenes_onnx: Path
) -> None:
    folder, address = page
    shutil.copy(scenes_onnx, folder / 'model.onnx')
    scenes = folder / 'scenes'
    write_scenes(scenes, num_train=1, num_val=1, num_test=3, size=(320, 240), seed=5)
    detector = Detector('m2det_r18_scenes', device='cpu')

    browser.open(address)
    assert browser.status(after='Loading') == 'Ready.'
    for image in sorted((scenes / 'test').iterdir()):
        expected = [x for x in detector(image) if x.score >= 0.3]
        assert len(expected) > 1

        said = browser.choose(image)

        assert said.startswith(f'{image.name}: {len(expected)} objects')
        rows = browser.run(ROWS)
        assert [row[0] for row in rows] == [x.name for x in expected]
        found = np.float64([row[1:] for row in rows])
        scores = np.float64([x.score for x in expected])
        np.testing.assert_allclose(found[:, 0], scores, atol=1e-3)
        boxes = np.float64([x.box for x in expected])
        np.testing.assert_allclose(found[:, 1:], boxes, atol=0.1)


@needs_browser
def test_the_slider_shows_what_has_the_score(
    browser: Browser, page: tuple[Path, str], scenes_onnx: Path
) -> None:
    folder, address = page
    shutil.copy(scenes_onnx, folder / 'model.onnx')
    scenes = folder / 'scenes'
    write_scenes(scenes, num_train=1, num_val=1, num_test=1, size=(320, 240), seed=5)
    image = scenes / 'test' / '000001.jpg'
    browser.open(address)
    browser.status(after='Loading')
    browser.choose(image)
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


@needs_browser
def test_a_dropped_picture_is_looked_at(
    browser: Browser, page: tuple[Path, str], scenes_onnx: Path
) -> None:
    folder, address = page
    shutil.copy(scenes_onnx, folder / 'model.onnx')
    scenes = folder / 'scenes'
    write_scenes(scenes, num_train=1, num_val=1, num_test=1, size=(320, 240), seed=5)
    browser.open(address)
    browser.status(after='Loading')

    browser.run("""
        return fetch('scenes/test/000001.jpg').then((answer) => answer.blob())
          .then((blob) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([blob], 'dropped.jpg'));
            document.dispatchEvent(new DragEvent('drop', { dataTransfer }));
          });
    """)

    assert browser.status(after=('Ready', 'Looking')).startswith('dropped.jpg: 5 ob')


@needs_browser
def test_a_file_that_is_no_picture_is_named(
    browser: Browser, page: tuple[Path, str], scenes_onnx: Path
) -> None:
    folder, address = page
    shutil.copy(scenes_onnx, folder / 'model.onnx')
    text = folder / 'text.png'
    text.write_text('no picture')
    browser.open(address)
    browser.status(after='Loading')

    assert browser.choose(text) == 'text.png is no picture that this browser reads.'


@needs_browser
def test_a_missing_or_foreign_model_is_one_sentence(
    browser: Browser, page: tuple[Path, str], scenes_onnx: Path
) -> None:
    folder, address = page
    browser.open(address)
    assert browser.status(after='Loading') == (
        'There is no model.onnx beside this page: write it by m2det export.'
    )

    model = onnx.load(scenes_onnx)
    about = json.loads(model.metadata_props[0].value)
    said = {}
    for name, changes in (('raw', {'suppression': None}), ('later', {'format': 2})):
        text = json.dumps({**about, **changes})
        onnx.helper.set_model_props(model, {KEY: text})
        onnx.save(model, folder / 'model.onnx')
        browser.open(address)
        said[name] = browser.status(after='Loading')
    (folder / 'model.onnx').write_bytes(b'no model')
    browser.open(address)
    said['damaged'] = browser.status(after='Loading')

    assert said == {
        'raw': 'model.onnx suppresses no boxes: export it with --nms soft or hard.',
        'later': 'model.onnx has format 2, this page knows 1.',
        'damaged': 'model.onnx was not written by m2det export.',
    }


@needs_browser
def test_a_missing_runtime_is_one_sentence(
    browser: Browser, page: tuple[Path, str]
) -> None:
    folder, address = page
    (folder / 'node_modules').unlink()

    browser.open(address)

    assert browser.status(after='Loading') == (
        'There is no onnxruntime-web: run npm install in this folder.'
    )
