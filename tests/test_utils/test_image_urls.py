"""Images from a server in a thread, which may send anything."""

import http.server
import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from m2det_mmdet.utils import image_urls
from m2det_mmdet.utils.errors import M2DetError
from m2det_mmdet.utils.image_urls import fetch_image, is_url

PIXELS = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)


def _png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, 'PNG')
    return file.getvalue()


PNG = _png()


class Handler(http.server.BaseHTTPRequestHandler):
    """Sends what its path says."""

    def do_GET(self) -> None:
        if self.path.startswith('/to?'):
            self.send_response(302)
            self.send_header('Location', self.path.partition('?')[2])
            self.end_headers()
            return
        if self.path.startswith('/absent'):
            self.send_error(404)
            return
        content = b'<html>a page</html>' if self.path == '/page.jpg' else PNG
        self.send_response(200)
        if self.path != '/endless.png':
            more = {'/cut.png': 5, '/huge.png': 2**30}.get(self.path, 0)
            self.send_header('Content-Length', str(len(content) + more))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope='module')
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,)).start()
        yield f'http://127.0.0.1:{running.server_port}'
        running.shutdown()


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('http://a/b.jpg', True),
        ('HTTPS://a', True),
        ('ftp://a/b.jpg', False),
        ('file:///b.jpg', False),
        ('http/b.jpg', False),
        ('', False),
    ],
)
def test_a_url_is_of_the_web(text: str, expected: bool) -> None:
    assert is_url(text) is expected


@pytest.mark.parametrize(
    ('path', 'name'),
    [
        ('/a/dog.png', 'dog.png'),
        ('/dog.PNG?size=3#x', 'dog.PNG'),
        ('/image?id=7', 'image.png'),
        ('/', 'image.png'),
        ('/a.php', 'a.php.png'),
        ('/..%2F..%2Fetc%2Fpasswd', 'passwd.png'),
        ('/.hidden', 'hidden.png'),
        ('/a b*c%00é.png', 'a_b_c_é.png'),
        ('/' + 'x' * 300 + '.png', 'x' * 100 + '.png'),
        ('/to?/there.png', 'to.png'),
    ],
)
def test_an_image_has_the_name_in_its_address(
    server: str, path: str, name: str, tmp_path: Path
) -> None:
    file = fetch_image(server + path, tmp_path / 'new')

    assert file == tmp_path / 'new' / name
    assert np.array_equal(np.asarray(Image.open(file)), PIXELS)
    assert [*(tmp_path / 'new').iterdir()] == [file]


def test_each_call_makes_a_file_of_its_own(server: str, tmp_path: Path) -> None:
    files = [fetch_image(f'{server}/{x}/dog.png', tmp_path) for x in 'abc']

    assert [file.name for file in files] == ['dog.png', 'dog-2.png', 'dog-3.png']
    assert all(file.read_bytes() == PNG for file in files)


@pytest.mark.parametrize(
    ('path', 'message'),
    [
        ('/absent.png', r'/absent\.png cannot be downloaded \(HTTP Error 404: Not F'),
        ('/page.jpg', r'/page\.jpg is no image that can be read: give the address'),
        ('/cut.png', r'the connection ended after \d+ of \d+ bytes'),
        ('/huge.png', r'it has more than 200 MB'),
        ('/to?file:///etc/passwd', r"Redirection to url 'file:///etc/passwd' is not"),
        ('/to?ftp://127.0.0.1/a.png', r'it leads to ftp://127\.0\.0\.1/a\.png'),
    ],
)
def test_what_is_no_image_is_a_sentence_and_leaves_nothing(
    server: str, path: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(M2DetError, match=message):
        fetch_image(server + path, tmp_path)

    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ('url', 'message'),
    [
        # Nobody listens there.
        ('http://127.0.0.1:9/a.png', r'cannot be downloaded \(.*refused'),
        ('http://', 'cannot be downloaded'),
        ('http://[/a.png', 'cannot be downloaded'),
        ('http://a:x/b.png', 'cannot be downloaded'),
        ('file:///etc/passwd', 'its scheme is not http or https'),
    ],
)
def test_an_address_of_nothing_is_a_sentence(
    url: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(M2DetError, match=message):
        fetch_image(url, tmp_path)

    assert not [*tmp_path.iterdir()]


def test_an_endless_image_ends(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_urls, '_MOST_BYTES', 20)

    with pytest.raises(M2DetError, match='it has more than 0 MB'):
        fetch_image(f'{server}/endless.png', tmp_path)

    assert not [*tmp_path.iterdir()]


def test_a_slow_image_ends(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_urls, '_DURATION', -1)

    with pytest.raises(M2DetError, match='it takes more than'):
        fetch_image(f'{server}/dog.png', tmp_path)

    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ('first', 'again'),
    [
        (b'HTTP/1.1 200 OK\r\n', b'X: y\r\n'),
        (b'', b'HTTP/1.1 100 Continue\r\n\r\n'),
        (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', b'0'),
    ],
    ids=['headers', 'announcements', 'sizes'],
)
def test_a_server_that_never_comes_to_the_image_ends(
    first: bytes, again: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_urls, '_DURATION', 0.2)
    ended = threading.Event()

    def drip(listening: socket.socket) -> None:
        connected, _ = listening.accept()
        with connected, suppress(OSError):
            connected.sendall(first)
            # Forty times as long as it may.
            for _ in range(400):
                connected.sendall(again)
                if ended.wait(0.02):
                    break

    with socket.create_server(('127.0.0.1', 0)) as listening:
        threading.Thread(target=drip, args=(listening,), daemon=True).start()
        begin = time.monotonic()
        with pytest.raises(M2DetError, match=r'it takes more than 0\.2 seconds'):
            fetch_image(f'http://127.0.0.1:{listening.getsockname()[1]}/a', tmp_path)
        ended.set()

    assert time.monotonic() - begin < 4
    assert not [*tmp_path.iterdir()]


def test_a_place_that_takes_no_file_is_a_sentence(server: str, tmp_path: Path) -> None:
    (tmp_path / 'file').touch()

    with pytest.raises(M2DetError, match='cannot be written'):
        fetch_image(f'{server}/dog.png', tmp_path / 'file')
