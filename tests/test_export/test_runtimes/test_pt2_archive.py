"""No archive runs code: whatever PyTorch would run of one is refused before."""

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from m2det_mmdet.export.errors import ExportError
from m2det_mmdet.export.runtimes.opening import open_exported

PROGRAM = 'models/model.json'
WEIGHTS = 'data/weights/model_weights_config.json'
CALL = "__import__('os').mkdir('run')"


class _Code:
    """Makes a folder when it is unpickled."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ('run',)


def _pickled() -> bytes:
    buffer = io.BytesIO()
    torch.save((_Code(),), buffer)
    return buffer.getvalue()


def _change(path: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change a part of an archive, or add one."""
    with zipfile.ZipFile(path) as archive:
        parts = {x: archive.read(x) for x in archive.namelist()}
    name = f'{path.stem}/{name}'
    parts[name] = change(parts.get(name, b''))
    with zipfile.ZipFile(path, 'w') as archive:
        for part, content in parts.items():
            archive.writestr(part, content)


def _size(content: bytes) -> bytes:
    """Put code in the place of the first size of a program."""
    program = json.loads(content)

    def walk(value: object) -> bool:
        if isinstance(value, dict) and 'expr_str' in value:
            value['expr_str'] = CALL
            return True
        inner = value.values() if isinstance(value, dict) else value
        return isinstance(value, dict | list) and any(map(walk, inner))

    assert walk(program)
    return json.dumps(program).encode()


def _weights(content: bytes) -> bytes:
    config = json.loads(content)
    config['config']['x'] = {'path_name': 'weight_0', 'use_pickle': True}
    return json.dumps(config).encode()


@pytest.mark.parametrize(
    ('name', 'change', 'match'),
    [
        ('data/sample_inputs/model.pt', lambda _: _pickled(), 'more than tensors'),
        ('data/weights/model.pt', lambda _: _pickled(), r"'data/weights/model\.pt'"),
        ('data/constants/custom_obj_0', lambda _: _pickled(), 'custom_obj_0'),
        ('data/aotinductor/model/x.so', lambda _: b'', r'x\.so'),
        (WEIGHTS, _weights, "the pickle 'weight_0'"),
        (PROGRAM, _size, 'it evaluates "__import__'),
        (
            PROGRAM,
            lambda x: x.replace(b'aten.mean.dim', b'aten.from_file.default'),
            'it calls .*from_file',
        ),
        (
            PROGRAM,
            lambda x: x.replace(b'torch.ops.aten.mean.dim', b'torch.hub.load'),
            'it calls .*hub',
        ),
        (
            PROGRAM,
            lambda x: x.replace(b'builtins.tuple', b'collections.defaultdict'),
            'it holds the object',
        ),
    ],
)
def test_code_in_an_archive_is_refused_and_not_run(
    tiny_file: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    change: Callable[[bytes], bytes],
    match: str,
) -> None:
    path = tiny_file('tiny.pt2')
    monkeypatch.chdir(path.parent)
    before = path.read_bytes()
    _change(path, name, change)
    assert path.read_bytes() != before

    with pytest.raises(ExportError, match=f'was not used: .*{match}'):
        open_exported(path, device='cpu')

    assert not Path('run').exists()


def test_guards_of_a_program_are_not_run(
    tiny_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_file('tiny.pt2')
    monkeypatch.chdir(path.parent)

    def change(content: bytes) -> bytes:
        program = json.loads(content)
        program['guards_code'] = [f'{CALL} is None']
        return json.dumps(program).encode()

    _change(path, PROGRAM, change)
    found = open_exported(path, device='cpu').run(np.ones((1, 3, 128, 128), 'f4'))

    assert found['labels'].tolist() == [[1, 0, -1]]
    assert not Path('run').exists()


def test_a_packed_part_is_refused(tiny_file: Callable[..., Path]) -> None:
    path = tiny_file('tiny.pt2')
    with zipfile.ZipFile(path, 'a', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('tiny/byteorder2', b'0' * 100)

    with pytest.raises(ExportError, match='its parts are packed'):
        open_exported(path)
