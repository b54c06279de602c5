from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from m2det_mmdet.export.errors import ExportError
from m2det_mmdet.export.runtimes.opening import (
    files_of,
    is_exported,
    open_exported,
    read_metadata,
)

FORMATS = ['.onnx', '.xml', '.pt2']
RUNTIMES = {'.onnx': 'onnxruntime', '.xml': 'OpenVINO', '.pt2': 'PyTorch'}


@pytest.mark.parametrize('suffix', FORMATS)
def test_each_format_gives_the_same_answer(
    tiny_file: Callable[..., Path], suffix: str
) -> None:
    path = tiny_file('tiny' + suffix)
    images = np.stack([np.full((3, 128, 128), x, np.float32) for x in (0.5, 1.0)])

    file = open_exported(path, device='cpu', threads=1)
    found = file.run(images)

    assert file.metadata == read_metadata(path)
    assert file.metadata.classes[:2] == ('disc', 'square')
    assert file.runtime.startswith(RUNTIMES[suffix])
    assert file.runtime.endswith(', cpu, threads: 1')
    np.testing.assert_allclose(
        found['scores'], [[0.5, 0.25, 0.0], [1.0, 0.5, 0.0]], rtol=1e-6
    )
    assert found['labels'].tolist() == [[1, 0, -1]] * 2
    assert found['boxes'][1, 0].tolist() == [8, 16, 40, 64]


@pytest.mark.parametrize(
    ('suffix', 'images'),
    [
        ('.onnx', np.zeros((1, 4, 128, 128), np.float32)),
        ('.xml', np.zeros((1, 3, 64, 128), np.float32)),
        ('.pt2', np.zeros((1, 3, 128, 128), np.float64)),
        ('.onnx', np.zeros((0, 3, 128, 128), np.float32)),
        ('.onnx', np.zeros((3, 128, 128), np.float32)),
    ],
)
def test_other_images_are_told_with_what_the_file_takes(
    tiny_file: Callable[..., Path], suffix: str, images: np.ndarray
) -> None:
    file = open_exported(tiny_file('tiny' + suffix), device='cpu')

    with pytest.raises(ExportError, match=r'takes \(N, 3, 128, 128\) of float32\.$'):
        file.run(images)


def test_a_fixed_number_of_images_is_told(tiny_file: Callable[..., Path]) -> None:
    file = open_exported(tiny_file(batch=2, inside=True), device='cpu')

    with pytest.raises(ExportError, match=r'it takes \(2, H, W, 3\) of uint8\.$'):
        file.run(np.zeros((1, 9, 9, 3), np.uint8))


@pytest.mark.parametrize('suffix', FORMATS)
@pytest.mark.parametrize('kept', [0, 0.5])
def test_a_damaged_file_is_told(
    tiny_file: Callable[..., Path], suffix: str, kept: float
) -> None:
    path = tiny_file('tiny' + suffix)
    path.write_bytes(b'no such format' + path.read_bytes()[: int(kept * 800)])

    with pytest.raises(ExportError, match=r'cannot be read \(.+\): it is damaged'):
        open_exported(path)


@pytest.mark.parametrize(
    ('arguments', 'match'),
    [
        ({'provider': 'tensorrt'}, r'no provider tensorrt: choose one of .*cpu'),
        ({'provider': 'magic'}, r'no provider magic: choose one of .*cpu'),
    ],
)
def test_a_provider_that_is_not_there_is_told_with_the_others(
    tiny_file: Callable[..., Path], arguments: dict, match: str
) -> None:
    with pytest.raises(ExportError, match=match):
        open_exported(tiny_file(), **arguments)


@pytest.mark.parametrize(
    ('suffix', 'match'),
    [('.xml', r'no device cuda here: choose one of .*cpu'), ('.pt2', 'no providers')],
)
def test_providers_are_those_of_the_format(
    tiny_file: Callable[..., Path], suffix: str, match: str
) -> None:
    with pytest.raises(ExportError, match=match):
        open_exported(tiny_file('tiny' + suffix), provider='cuda')


@pytest.mark.parametrize(
    ('name', 'match'),
    [
        ('gone.onnx', 'There is no file gone.onnx'),
        ('https://example.org/x.onnx', 'is an address'),
        ('x.tflite', r'ends in \.onnx, \.xml, \.pt2\.$'),
    ],
)
def test_what_is_no_file_is_told(name: str, match: str) -> None:
    with pytest.raises(ExportError, match=match):
        open_exported(name)


def test_files_are_known_by_their_names(tmp_path: Path) -> None:
    (tmp_path / 'run.onnx').mkdir()

    assert is_exported('a/b.ONNX')
    assert not is_exported('a/b.pth')
    assert not is_exported(tmp_path / 'run.onnx')
    assert [x.name for x in files_of('a.xml')] == ['a.xml', 'a.bin']
    assert [x.name for x in files_of('a.pt2')] == ['a.pt2']
