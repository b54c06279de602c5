"""The commands that write exported files and tell what is in them."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from m2det_mmdet.apis import exporting
from m2det_mmdet.cli import main
from m2det_mmdet.export.errors import ExportError
from m2det_mmdet.export.formats import Models
from m2det_mmdet.export.onnx_file import to_onnx
from m2det_mmdet.export.standalone import SCRIPT

MODEL = 'm2det_r18_scenes'


@pytest.fixture
def exported(tmp_path: Path, capsys: pytest.CaptureFixture) -> SimpleNamespace:
    """What the command printed, and its file."""
    file = tmp_path / 'scenes.onnx'
    assert main(['export', MODEL, '-o', str(file), '--batch', '1']) == 0
    return SimpleNamespace(file=file, said=capsys.readouterr())


def test_a_file_is_written_compared_and_inspected(
    exported: SimpleNamespace, capsys: pytest.CaptureFixture
) -> None:
    lines = exported.said.out.splitlines()
    assert lines[0].startswith('| compared on | input | anchors differ by |')
    assert '| 1 x 3 x 128 x 128 |' in lines[2]
    assert lines[-1].startswith(f'Wrote {exported.file} and ')
    assert lines[-1].endswith('it gives what the detector does.')
    assert exported.said.err == ''
    assert sorted(os.listdir(exported.file.parent)) == [SCRIPT, 'scenes.onnx']

    assert main(['inspect', str(exported.file)]) == 0
    said = capsys.readouterr().out
    assert 'Classes:      10: disc, square, triangle' in said
    assert 'Input:        1 of images, 128 x 128 pixels, float32' in said
    assert 'method=linear' in said

    assert main(['inspect', str(exported.file), '--json']) == 0
    assert json.loads(capsys.readouterr().out)['batch'] == 1
    assert main(['inspect', str(exported.file), '--config']) == 0
    assert 'M2DetHead' in capsys.readouterr().out

    # It is not replaced unasked, and a file that is damaged is told.
    assert main(['export', MODEL, '-o', str(exported.file)]) == 2
    assert 'exists: give another name, or --force' in capsys.readouterr().err
    exported.file.write_bytes(exported.file.read_bytes()[:1000])
    assert main(['inspect', str(exported.file)]) == 2
    _is_one_sentence(capsys.readouterr().err, str(exported.file))


@pytest.mark.parametrize(
    ('words', 'sentence'),
    [
        (['m2det_r18_320'], 'is a config, which has no weights: give a checkpoint'),
        (['nothing'], 'There is no model nothing'),
        ([MODEL, '-o', 'x.tflite'], 'x.tflite must end in .onnx, .xml, .pt2'),
        ([MODEL, '-o', 'x.onnx', '--format', 'pt2'], 'x.onnx must end in .pt2'),
        ([MODEL, '-o', '/dev/null/x.onnx'], 'cannot be written'),
        ([MODEL, '-o', 'taken.onnx'], 'taken.onnx is a folder'),
        ([MODEL, '--batch', '0'], 'batch must be a number from 1 or dynamic, got 0'),
        ([MODEL, '--batch', 'two'], "must be a number or dynamic, got 'two'"),
        ([MODEL, '--size', '64', '64', '3'], 'size must be a height and a width'),
        ([MODEL, '--size', 'dynamic', '--preprocess'], 'needs the size to resize'),
        ([MODEL, '--data', 'taken.onnx'], 'taken.onnx'),
        ([MODEL, '--precision', 'int8'], 'give a folder with annotations as data'),
        ([MODEL, '-o', 'x.pt2', '--precision', 'fp16'], 'A pt2 file is of precision'),
        ([MODEL, '--max-drop', '2'], 'must be from 0 to 1, got 2'),
        ([MODEL, '--tolerance', '0'], 'tolerance must be a number above 0'),
        ([MODEL, '--tolerance', 'inf'], 'tolerance must be a number above 0'),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    words: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'taken.onnx').mkdir()

    assert main(['export', *words]) == 2

    _is_one_sentence(capsys.readouterr().err, sentence)
    assert os.listdir(tmp_path) == ['taken.onnx']


@pytest.mark.slow
def test_an_opset_that_cannot_hold_the_loop_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = ['export', MODEL, '-o', str(tmp_path / 'x.onnx'), '--opset', '11']

    assert main(words) == 2

    _is_one_sentence(capsys.readouterr().err, 'opset must be from 18 to 23, got 11')
    assert os.listdir(tmp_path) == []


def test_a_file_that_differs_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def differ(*_: object, **__: object) -> None:
        raise ExportError('The file differs from the detector: by 1.')

    file = tmp_path / 'x.onnx'
    monkeypatch.setattr(exporting, 'verify', differ)
    monkeypatch.setattr(exporting, 'open_exported', lambda _: SimpleNamespace(run=None))
    quick = exporting.FORMATS['onnx']._replace(
        translate=lambda *_, **__: Models('whole', 'final'),
        write=lambda model, path, metadata: path.write_text(model),
    )
    monkeypatch.setitem(exporting.FORMATS, 'onnx', quick)

    assert main(['export', MODEL, '-o', str(file)]) == 2

    _is_one_sentence(capsys.readouterr().err, 'The file differs from the detector')
    assert os.listdir(tmp_path) == []


def test_an_operator_without_translation_is_named_with_its_module() -> None:
    class Odd(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.cholesky_ex(x)[0]

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.odd = Odd()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.odd(x)

    program = torch.export.export(Network(), (torch.eye(4),))

    with pytest.raises(ExportError, match=r'cholesky_ex, which odd \(.*Odd\) calls'):
        to_onnx(program, ['x'])


def test_missing_packages_are_named_with_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr('m2det_mmdet.export.extras.find_spec', lambda _: None)

    with pytest.raises(ExportError, match=r'pip install "m2det\[onnx\]"'):
        to_onnx(None, ['x'])


def _is_one_sentence(said: str, sentence: str) -> None:
    assert sentence in said
    assert said.count('\n') == 1
    assert 'Traceback' not in said
