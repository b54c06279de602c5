"""The page, as browsers and programs use it."""

import json
import secrets
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from m2det_mmdet import Detector
from m2det_mmdet.apis import FoundObject
from m2det_mmdet.datasets.scenes import write_scenes
from m2det_mmdet.report.page import Section
from m2det_mmdet.web import serving
from m2det_mmdet.web.looking import Look, Looker

from ..browser import Browser

pytest.importorskip('gradio', reason='needs the extra web')
pytestmark = pytest.mark.slow

MODEL = 'm2det_r18_scenes'
PATIENCE = 300  # seconds
ROWS = """
return [...document.querySelectorAll('.m2det-boxes tbody tr')].map(
  (row) => [...row.cells].map((cell) => cell.textContent));
"""
# What a keyboard does with a field that is left as it was.
PASS = """
document.querySelector('input[aria-label=Model]').focus();
document.activeElement.blur();
"""
# The tab is there when it was opened.
WHY = """
return document.querySelector('#why section')
  && document.querySelector('#why').textContent;
"""
NOTE = "return document.querySelector('.m2det-problem')?.textContent"
OBJECT = "return document.querySelector('#object input').value"
PICTURE = "return document.querySelector('.m2det-picture figcaption')?.textContent"


class Visitor:
    """Somebody who uses the page by plain HTTP.

    Args:
        address: Of the page.
    """

    def __init__(self, address: str) -> None:
        self._address = f'{address}/gradio_api'
        self._session = secrets.token_hex(8)

    def upload(self, name: str, content: bytes) -> str:
        """Send a file, and return its place on the server."""
        mark = secrets.token_hex(16)
        body = (
            f'--{mark}\r\nContent-Disposition: form-data; name="files"; '
            f'filename="{name}"\r\n\r\n'
        ).encode()
        body += content + f'\r\n--{mark}--\r\n'.encode()
        kind = f'multipart/form-data; boundary={mark}'
        return json.loads(self._ask('upload', body, kind))[0]

    def call(self, name: str, *values: Any) -> list[Any]:
        """Call a function of the page, and wait for what it returns."""
        wanted = {'data': values, 'session_hash': self._session}
        answer = self._ask(f'call/{name}', json.dumps(wanted).encode())
        place = json.loads(answer)['event_id']
        events = self._ask(f'call/{name}/{place}').decode()
        kind, data = events.strip().split('\n')[-2:]
        assert kind == 'event: complete', events
        return json.loads(data.removeprefix('data: '))

    def take(self, place: str) -> None:
        """Say that a file on the server is the picture."""
        self.call('take', {'path': place, 'meta': {'_type': 'gradio.FileData'}})

    def look(self, name: str, content: bytes, score_thr: float = 0.3) -> list[Any]:
        """Give a picture, and return what is shown, as HTML and as records."""
        self.take(self.upload(name, content))
        return self.find(MODEL, score_thr)

    def find(self, model: str, score_thr: float = 0.3) -> list[Any]:
        """Return what a model finds in the picture, as :meth:`look` does."""
        # Before both come what the server keeps, and what is shown of the levels.
        return self.call('look', model, score_thr, 'own', 0.5)[3:5]

    def _ask(
        self, path: str, body: bytes | None = None, kind: str = 'application/json'
    ) -> bytes:
        request = Request(f'{self._address}/{path}', body, {'Content-Type': kind})
        with urlopen(request, timeout=PATIENCE) as answer:
            return answer.read()


@pytest.fixture(scope='module')
def served(
    tmp_path_factory: pytest.TempPathFactory, scenes_onnx: Path
) -> Iterator[SimpleNamespace]:
    """The address of the page, and the folder of its files."""
    folder = tmp_path_factory.mktemp('temporary')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, 'tempdir', str(folder))
        models = [MODEL, scenes_onnx]
        with serving(models, port=0, max_size=0.5, device='cpu') as address:
            yield SimpleNamespace(address=address, folder=folder)
        assert list(folder.iterdir()) == []


def pictures_in(folder: Path) -> list[str]:
    """Names of the visitors' own files."""
    return [path.name for path in folder.glob('*/picture-*/*')]


def test_programs_get_what_the_detector_finds(
    served: SimpleNamespace, pictures: list[Path]
) -> None:
    detector = Detector(MODEL, device='cpu')
    for picture in pictures:
        expected = detector(picture, score_thr=0.3).to_coco()

        text, records = Visitor(served.address).look(picture.name, picture.read_bytes())

        assert records == expected
        assert picture.name in text


def test_a_moved_threshold_and_suppression_change_the_boxes(
    served: SimpleNamespace, pictures: list[Path]
) -> None:
    visitor = Visitor(served.address)
    _, first = visitor.look(pictures[0].name, pictures[0].read_bytes())

    fewer = visitor.call('show', 0.9, 'own', 0.5)[1]
    all_of_them = visitor.call('show', 0.3, 'hard', 1.0)[1]

    assert fewer == [x for x in first if x['score'] >= 0.9]
    assert len(fewer) < len(first) < len(all_of_them)


def test_what_is_no_picture_is_one_sentence(served: SimpleNamespace) -> None:
    visitor = Visitor(served.address)

    text, records = visitor.look('text.jpg', b'text')

    assert 'text.jpg is no image that can be read: give another picture.' in text
    assert str(served.folder) not in text
    assert records == []


def test_a_file_that_is_too_large_is_refused(served: SimpleNamespace) -> None:
    with pytest.raises(HTTPError) as refused:
        Visitor(served.address).upload('x.png', bytes(500_001))

    assert refused.value.code == 413
    assert not [*served.folder.glob('*/*/x.png')]


def test_files_of_others_are_not_taken(
    served: SimpleNamespace, capfd: pytest.CaptureFixture
) -> None:
    for place, error in {
        'http://127.0.0.1:9/x.png': 'A picture is a file, not an address',
        __file__: 'InvalidPathError',
        '/etc/hosts': 'InvalidPathError',
    }.items():
        with pytest.raises(AssertionError, match='event: error'):
            Visitor(served.address).take(place)
        assert error in capfd.readouterr().err


def test_two_hundred_uploads_at_a_time(served: SimpleNamespace, tmp_path: Path) -> None:
    options = {'num_train': 1, 'num_val': 1, 'num_test': 8, 'seed': 3}
    write_scenes(tmp_path / 'scenes', size=(160, 128), **options)
    scenes = sorted((tmp_path / 'scenes' / 'test').iterdir())
    detector = Detector(MODEL, device='cpu')
    expected = [
        [x['bbox'] for x in detector(scene, score_thr=0.3).to_coco()]
        for scene in scenes
    ]
    assert len({str(boxes) for boxes in expected}) == len(scenes)
    together = threading.Barrier(200)

    def visit(number: int) -> list:
        content = scenes[number % len(scenes)].read_bytes()
        together.wait()
        # Equal pictures of equal names are those of different visitors, too.
        _, records = Visitor(served.address).look('scene.jpg', content)
        return [x['bbox'] for x in records]

    with ThreadPoolExecutor(200) as pool:
        found = list(pool.map(visit, range(200)))

    assert found == [expected[number % len(scenes)] for number in range(200)]


def test_the_page_shows_boxes_reasons_and_sentences(
    served: SimpleNamespace,
    browser: Browser,
    pictures: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked, told, look, explain = [], [], Looker.look, Look.explain

    def note_look(self: Looker, path: Path) -> Look:
        looked.append(path.name)
        return look(self, path)

    def note_explain(self: Look, found: FoundObject) -> list[Section]:
        told.append(found.name)
        return explain(self, found)

    monkeypatch.setattr(Looker, 'look', note_look)
    monkeypatch.setattr(Look, 'explain', note_explain)
    before = len(pictures_in(served.folder))
    detector = Detector(MODEL, device='cpu')
    expected = detector(pictures[0], score_thr=0.3)
    browser.asked()
    browser.open(served.address)
    browser.wait("return document.querySelector('input[type=file]') !== null")

    browser.give('input[type=file]', pictures[0])
    browser.wait(PICTURE)
    rows = browser.run(ROWS)
    assert [row[1] for row in rows] == [*expected.names]
    assert [row[2] for row in rows] == [f'{score:.3f}' for score in expected.scores]

    browser.run("""
        const slider = document.querySelector('#score input[type=range]');
        slider.value = 0.9;
        slider.dispatchEvent(new Event('input', { bubbles: true }));
    """)
    fewer = len(expected.filter(0.9))
    assert fewer < len(rows)
    browser.wait(f'{ROWS.strip().removesuffix(";")}.length === {fewer}')

    # Nobody has asked why.
    assert not told
    browser.run("document.querySelectorAll('.m2det-boxes button')[0].click();")
    text = browser.wait(WHY)
    assert f'{rows[0][1]}{rows[0][2]}' in text
    assert "SFAM's weights" in text
    assert browser.run(OBJECT) == f'1: {rows[0][1]} {rows[0][2]}'
    browser.run(PASS)

    (tmp_path / 'text.jpg').write_text('text')
    browser.give('input[type=file]', tmp_path / 'text.jpg')
    assert browser.wait(NOTE).startswith('text.jpg is no image that can be read')
    # Each was asked for once.
    assert looked == [pictures[0].name, 'text.jpg']
    assert told == [expected.names[0]]

    asked = [address for address in browser.asked() if address.startswith('http')]
    assert asked
    assert all(address.startswith(served.address) for address in asked)
    assert len(pictures_in(served.folder)) == before + 1
    browser.open('about:blank')
    end = time.monotonic() + PATIENCE
    while len(pictures_in(served.folder)) > before and time.monotonic() < end:
        time.sleep(0.1)
    assert len(pictures_in(served.folder)) == before


def test_an_exported_file_is_chosen(
    served: SimpleNamespace, pictures: list[Path], scenes_onnx: Path
) -> None:
    visitor = Visitor(served.address)
    visitor.take(visitor.upload('x.jpg', pictures[0].read_bytes()))

    _, records = visitor.find(scenes_onnx.name)

    expected = Detector(scenes_onnx)(pictures[0], score_thr=0.3).to_coco()
    assert [x['bbox'] for x in records] == [x['bbox'] for x in expected]
    with pytest.raises(AssertionError, match='event: error'):
        visitor.find('/etc')
