"""The command that serves the page."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from m2det_mmdet import web
from m2det_mmdet.cli import main, webui

# The command, in a process that tells which hosts it looks up or connects to.
PROGRAM = """
import sys

def tell(event, arguments):
    if event == 'socket.getaddrinfo':
        print('called', arguments[0], file=sys.stderr)
    if event == 'socket.connect' and isinstance(arguments[1], tuple):
        print('called', arguments[1][0], file=sys.stderr)

sys.addaudithook(tell)
from m2det_command import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    ('argv', 'expected'),
    [
        (
            [],
            {
                'models': ['m2det_r18_scenes'],
                'host': '127.0.0.1',
                'port': 7860,
                'max_size': 20,
                'score_thr': 0.3,
                'device': None,
                'browser': True,
            },
        ),
        (
            ['a', 'b.onnx', '--host', '0.0.0.0', '--port', '0', '--no-browser']
            + ['--max-size', '0.5', '--score-thr', '0.1', '--device', 'cpu'],
            {
                'models': ['a', 'b.onnx'],
                'host': '0.0.0.0',
                'port': 0,
                'max_size': 0.5,
                'score_thr': 0.1,
                'device': 'cpu',
                'browser': False,
            },
        ),
    ],
)
def test_serves_as_the_arguments_say(
    argv: list[str],
    expected: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    asked = {}

    @contextmanager
    def serve(models: list[str], **options: Any) -> Iterator[str]:
        asked.update(models=models, **options)
        yield 'ADDRESS'

    monkeypatch.setenv('DISPLAY', ':0')
    waited = SimpleNamespace(wait=lambda: None)
    monkeypatch.setattr(web, 'serving', serve)
    monkeypatch.setattr(webui.threading, 'Event', lambda: waited)

    assert main(['webui', *argv]) == 0

    assert asked == expected
    said = capsys.readouterr()
    assert said.out == 'The page is at ADDRESS (Ctrl-C ends it).\n'
    assert ('no password' in said.err) == bool(argv)


def test_a_port_in_use_is_one_sentence(capsys: pytest.CaptureFixture) -> None:
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        server.listen()
        port = server.getsockname()[1]
        status = main(['webui', '--port', str(port)])

    assert status == 2
    assert capsys.readouterr().err == (
        f'm2det webui: Port {port} is in use: give another one, or 0 for one that is '
        'free.\n'
    )


@pytest.mark.slow
@pytest.mark.skipif(not find_spec('gradio'), reason='needs the extra web')
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_nobody_is_called_and_nothing_is_left(
    tmp_path: Path, number: signal.Signals
) -> None:
    argv = [sys.executable, '-c', PROGRAM, 'webui', '--port', '0']
    argv += ['--no-browser', '--device', 'cpu']
    environment = {**os.environ, 'TMPDIR': str(tmp_path)}
    called = tmp_path / 'called.txt'
    with (
        open(called, 'w') as file,
        subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=file, text=True, env=environment
        ) as process,
    ):
        assert process.stdout.readline().startswith('The page is at http://127.0.0.1:')
        (folder,) = tmp_path.glob('m2det-webui-*')
        process.send_signal(number)
        assert process.wait(timeout=60) == {2: 130, 15: 143}[number]

    assert not folder.exists()
    hosts = re.findall('^called (.*)$', called.read_text(), re.M)
    assert {*hosts} == {'127.0.0.1'}


def test_opens_no_browser_without_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, 'platform', 'linux')
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    assert not webui._has_screen()

    monkeypatch.setenv('WAYLAND_DISPLAY', 'wayland-0')
    assert webui._has_screen()
