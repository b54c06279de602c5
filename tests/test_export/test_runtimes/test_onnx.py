from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from m2det_mmdet.export.errors import ExportError
from m2det_mmdet.export.runtimes.onnx import OnnxFile


def _external(location: str) -> TensorProto:
    tensor = TensorProto(name='elsewhere', data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key='location', value=location)
    return tensor


def _within(model: onnx.ModelProto, tensor: TensorProto) -> None:
    """Hide a constant in a branch of a graph."""
    node = helper.make_node('Constant', [], ['hidden'], value=tensor)
    branch = helper.make_graph([node], 'branch', [], [])
    model.graph.node.append(
        helper.make_node('If', ['x'], ['y'], then_branch=branch, else_branch=branch)
    )


@pytest.mark.parametrize('hidden', [False, True])
@pytest.mark.parametrize(
    ('location', 'match'),
    [
        ('../secret.bin', r"weights outside of its folder \('\.\./secret\.bin'\)"),
        ('/etc/hostname', 'weights outside of its folder'),
        ('gone.bin', r"'gone\.bin', which is missing"),
    ],
)
def test_weights_elsewhere_are_not_read(
    tiny_file: Callable[..., Path], location: str, match: str, hidden: bool
) -> None:
    path = tiny_file()
    path.parent.with_name('secret.bin').write_bytes(b'1234')
    model = onnx.load(path)
    if hidden:
        _within(model, _external(location))
    else:
        model.graph.initializer.append(_external(location))
    onnx.save(model, path)

    with pytest.raises(ExportError, match=match):
        OnnxFile(path)


def test_weights_beside_the_file_are_read(tiny_file: Callable[..., Path]) -> None:
    path = tiny_file()
    onnx.save(
        onnx.load(path),
        path,
        save_as_external_data=True,
        location='weights.bin',
        size_threshold=80,
    )

    assert (path.parent / 'weights.bin').is_file()
    assert OnnxFile(path).metadata.name == 'tiny'


def test_a_foreign_file_is_told(tiny_file: Callable[..., Path]) -> None:
    path = tiny_file()
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.save(model, path)

    with pytest.raises(ExportError, match='was not exported by m2det'):
        OnnxFile(path)


def test_a_graph_that_does_not_run_is_told(tiny_file: Callable[..., Path]) -> None:
    path = tiny_file()
    model = onnx.load(path)
    model.graph.node[0].op_type = 'NoSuchOperator'
    onnx.save(model, path)

    with pytest.raises(
        ExportError, match=r'cannot be run by onnxruntime \(.+\): it is'
    ):
        OnnxFile(path)
