"""What is wrong before the page is served."""

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from m2det_mmdet import web
from m2det_mmdet.utils.errors import M2DetError
from m2det_mmdet.web import serving
from m2det_mmdet.web.serving import _names


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ('options', 'sentence'),
    [
        ({'port': 65536}, 'port must be from 0 to 65535, got 65536.'),
        ({'port': True}, 'port must be from 0 to 65535, got True.'),
        ({'host': '192.0.2.1'}, 'The page cannot be served at 192.0.2.1, port 0'),
        ({'score_thr': 2}, 'score_thr must be from 0 to 1'),
        ({'max_size': 0}, 'max_size must be a positive number of MB, got 0.'),
        ({'models': []}, 'There is no model to choose from: name one.'),
        ({'models': 3}, 'models must be a text or a list of texts, got 3.'),
    ],
)
def test_a_bad_argument_is_one_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(M2DetError) as raised, serving(**{'port': 0, **options}):
        pass

    assert str(raised.value).startswith(sentence)


def test_a_port_in_use_is_one_sentence(taken: int) -> None:
    with pytest.raises(M2DetError) as raised, serving(port=taken):
        pass

    assert str(raised.value) == (
        f'Port {taken} is in use: give another one, or 0 for one that is free.'
    )


def test_without_gradio_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    monkeypatch.setitem(sys.modules, 'gradio', None)
    # As in a process that has not imported it.
    monkeypatch.delitem(sys.modules, 'm2det_mmdet.web.page', raising=False)
    monkeypatch.delattr(web, 'page', raising=False)
    monkeypatch.setenv('HF_HUB_OFFLINE', '0')
    before = dict(os.environ)

    with pytest.raises(M2DetError, match='needs Gradio, and gradio is not installed'):
        serving(port=0).__enter__()

    assert dict(os.environ) == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('content', 'sentence'),
    [
        (
            {'__version__': '5.49.1'},
            'does not work with Gradio 5.49.1: pip install',
        ),
        ({}, "cannot be imported (ImportError: cannot import name '__version__'"),
    ],
    ids=['old', 'broken'],
)
def test_a_gradio_that_does_not_serve_is_one_sentence(
    content: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradio = ModuleType('gradio')
    vars(gradio).update(content)
    monkeypatch.setitem(sys.modules, 'gradio', gradio)

    with pytest.raises(M2DetError) as raised:
        serving(port=0).__enter__()

    assert sentence in str(raised.value)


def test_visitors_do_not_learn_where_files_are(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ('a/best.pth', 'b/best.pth', 'c/other.onnx')]
    for path in paths:
        path.parent.mkdir()
        path.touch()

    names = _names(['m2det_r18_scenes', *paths])

    assert [*names] == ['m2det_r18_scenes', str(paths[0]), str(paths[1]), 'other.onnx']
    assert [*names.values()] == ['m2det_r18_scenes', *map(str, paths)]
