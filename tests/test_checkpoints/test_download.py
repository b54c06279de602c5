"""Downloads from a server in a thread, which may cut, change and refuse files."""

import errno
import hashlib
import http.server
import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from m2det_mmdet.checkpoints import download
from m2det_mmdet.checkpoints.download import fetch, hash_in
from m2det_mmdet.checkpoints.errors import CheckpointError
from m2det_mmdet.utils.errors import M2DetError

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one file, as its state says."""

    state: SimpleNamespace

    def do_GET(self) -> None:
        state = self.state
        state.asked.append(self.headers['Range'])
        if state.status != 200:
            self.send_error(state.status)
            return
        begin = 0
        asked, known = self.headers['Range'], self.headers['If-Range']
        # A weak tag is no proof of the same file.
        same = known in state.tags.values() and not known.startswith('W/')
        if asked and state.ranges and same:
            begin = int(asked.removeprefix('bytes=').removesuffix('-'))
        if begin >= len(state.content):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        if begin:
            first = begin + state.shift
            end = len(state.content)
            self.send_header('Content-Range', f'bytes {first}-{end - 1}/{end}')
        self.send_header('Content-Length', str(len(state.content) - begin))
        for name, value in state.tags.items():
            self.send_header(name, value)
        self.end_headers()
        part = state.content[begin : state.cut]
        # Before the client can have all of it, and look.
        state.sent.append(len(part))
        self.wfile.write(part)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[SimpleNamespace]:
    """What the server does, its address, the ranges asked for, and bytes sent."""
    state = SimpleNamespace(
        content=CONTENT,
        cut=None,
        ranges=True,
        shift=0,
        status=200,
        tags={'ETag': '"one"'},
        asked=[],
        sent=[],
    )
    handler = type('OneFile', (Handler,), {'state': state})
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,)).start()
        state.url = f'http://127.0.0.1:{running.server_port}/net.pth'
        yield state
        running.shutdown()


def cut(server: SimpleNamespace, file: Path, after: int) -> str:
    """Begin a download that ends too early, and return the error."""
    server.cut = after
    with pytest.raises(CheckpointError) as info:
        fetch(server.url, file)
    server.cut = None
    assert not file.exists()
    return str(info.value)


def test_a_download_goes_on_where_it_stopped(
    server: SimpleNamespace, tmp_path: Path
) -> None:
    file = tmp_path / 'folder' / 'net.pth'

    message = cut(server, file, 4000)
    fetch(server.url, file)

    assert 'ended after 4000 of 10240 bytes, where the next try goes on' in message
    assert f'{server.url} cannot be downloaded' in message
    assert server.asked == [None, 'bytes=4000-']
    assert server.sent == [4000, 6240]
    assert file.read_bytes() == CONTENT
    # Nothing is left of what lay beside it.
    names = {path.name for path in file.parent.iterdir()}
    assert names - {'net.pth.lock'} == {'net.pth'}


def test_a_date_serves_where_there_is_no_tag(
    server: SimpleNamespace, tmp_path: Path
) -> None:
    date = formatdate(0, usegmt=True)
    # A weak tag stands for a file that is alike.
    server.tags = {'ETag': 'W/"one"', 'Last-Modified': date}

    cut(server, tmp_path / 'net.pth', 4000)
    fetch(server.url, tmp_path / 'net.pth')

    assert server.sent == [4000, 6240]
    assert (tmp_path / 'net.pth').read_bytes() == CONTENT


@pytest.mark.parametrize(
    ('case', 'asked'),
    [
        ('no ranges', ['bytes=4000-']),
        ('no tag', [None]),
        ('changed', ['bytes=4000-']),
        ('shorter', ['bytes=4000-', None]),
        ('moved', [None]),
    ],
)
def test_a_download_begins_anew_where_it_cannot_go_on(
    case: str, asked: list, server: SimpleNamespace, tmp_path: Path
) -> None:
    if case == 'no tag':
        server.tags = {}
    file, url, expected = tmp_path / 'net.pth', server.url, CONTENT
    cut(server, file, 4000)
    if case == 'no ranges':
        server.ranges = False
    elif case == 'changed':
        server.content = expected = CONTENT[::-1]
        server.tags = {'ETag': '"two"'}
    elif case == 'shorter':
        # The server has forgotten to change its tag.
        server.content = expected = b'short'
    elif case == 'moved':
        url = url.replace('127.0.0.1', 'localhost')

    fetch(url, file)

    assert file.read_bytes() == expected
    assert server.asked == [None, *asked]


def test_a_part_that_nobody_asked_for_is_not_added(
    server: SimpleNamespace, tmp_path: Path
) -> None:
    cut(server, tmp_path / 'net.pth', 4000)
    server.shift = 1

    with pytest.raises(CheckpointError, match='another part than asked for'):
        fetch(server.url, tmp_path / 'net.pth')

    fetch(server.url, tmp_path / 'net.pth')
    assert (tmp_path / 'net.pth').read_bytes() == CONTENT


@pytest.mark.parametrize('name', ['net.pth', f'net-{"0" * 8}.pth'])
def test_a_wrong_hash_is_refused(
    name: str, server: SimpleNamespace, tmp_path: Path
) -> None:
    file = tmp_path / name
    expected = '0' * 64 if name == 'net.pth' else None

    with pytest.raises(CheckpointError) as info:
        fetch(server.url, file, sha256=expected)

    message = str(info.value)
    assert f'{SHA256}, not {expected or "0" * 8}; ' in message
    assert message.startswith(f'{server.url} was refused')
    assert {path.suffix for path in tmp_path.iterdir()} <= {'.lock'}


def test_the_right_hash_passes(server: SimpleNamespace, tmp_path: Path) -> None:
    fetch(server.url, tmp_path / f'net-{SHA256[:8]}.pth')
    fetch(server.url, tmp_path / 'net.pth', sha256=SHA256, progress=True)

    # Nothing is downloaded twice.
    fetch(server.url, tmp_path / 'net.pth', sha256='0')
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('resnet50-0676ba61.pth', '0676ba61'),
        ('swav-0676ba61.pth.tar', '0676ba61'),
        ('vgg16_batch256_imagenet_20210208-db26f1a5.pth', 'db26f1a5'),
        ('mine-20210208.pth', None),
        ('mine-20219908.pth', '20219908'),
        ('net-best.pth', None),
        ('net-abc.pth', None),
        ('0676ba61.pth', None),
    ],
)
def test_a_name_tells_its_hash(name: str, expected: str | None) -> None:
    assert hash_in(name) == expected


def test_a_missing_file_is_told(server: SimpleNamespace, tmp_path: Path) -> None:
    server.status = 404

    with pytest.raises(CheckpointError, match=r'HTTP Error 404.*put it at .*net\.pth'):
        fetch(server.url, tmp_path / 'net.pth')


def test_processes_that_ask_at_once_download_once(
    server: SimpleNamespace, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(fetch, server.url, tmp_path / 'net.pth') for _ in range(4)]
    assert [task.result() for task in tasks] == [None] * 4

    assert server.asked == [None]


def test_a_full_disk_is_told_and_leaves_no_file(
    server: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        def write(self, _: Any) -> int:
            raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(download, 'open', lambda *args: Full(), raising=False)

    with pytest.raises(M2DetError, match=r'net\.pth cannot be written .*No space left'):
        fetch(server.url, tmp_path / 'net.pth')
    assert not (tmp_path / 'net.pth').exists()


def test_a_folder_that_takes_no_files_is_told(
    server: SimpleNamespace, tmp_path: Path
) -> None:
    (tmp_path / 'folder').touch()

    with pytest.raises(M2DetError, match=r'net\.pth cannot be written'):
        fetch(server.url, tmp_path / 'folder' / 'net.pth')
