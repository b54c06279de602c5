"""Exported files: of the embedded detector, and of a graph so small that its answers
are known.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from mmdet.apis import DetInferencer
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from m2det_mmdet.apis import ExportResult, export
from m2det_mmdet.apis.inferencer import build_inferencer
from m2det_mmdet.apis.model_source import find_model
from m2det_mmdet.export.metadata import KEY, Metadata, Preparation

MODEL = 'm2det_r18_scenes'
CLASSES = (
    *('disc', 'square', 'triangle', 'striped', 'checkered'),
    *('dotted', 'car', 'robot', 'flower', 'paw'),
)
# In the pixels of the graph's images; the last row is that of no box.
BOXES = [[8.0, 16.0, 40.0, 64.0], [64.0, 64.0, 128.0, 128.0], [0.0, 0.0, 0.0, 0.0]]
LABELS = [1, 0, -1]
# What the mean of an image is multiplied by: so images of a batch differ.
WEIGHTS = [1.0, 0.5, 0.0]


class Tiny(nn.Module):
    """Finds the same boxes in each image; their scores are the mean of its pixels."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        mean = images.float().mean(dim=(1, 2, 3))[:, None]
        scores = mean * torch.tensor(WEIGHTS)
        nothing = torch.zeros_like(mean)
        boxes = torch.tensor(BOXES) + nothing[..., None]
        return boxes, scores, torch.tensor(LABELS) + nothing.long()


@pytest.fixture(scope='session')
def detector() -> DetInferencer:
    """The detector that the files are made of."""
    source = find_model(MODEL)
    return build_inferencer(source.cfg, source.checkpoint, 'cpu')


@pytest.fixture(scope='session')
def exported(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., ExportResult]:
    """Export the detector, once for each name of a file."""
    folder = tmp_path_factory.mktemp('exported')
    made: dict[str, ExportResult] = {}

    def make(name: str, **options: object) -> ExportResult:
        if name not in made:
            made[name] = export(MODEL, out=Path(folder, name), **options)
        return made[name]

    return make


@pytest.fixture(scope='session')
def config_text() -> str:
    """The config of the embedded detector, as a checkpoint holds it."""
    return find_model(MODEL).cfg.pretty_text


@pytest.fixture(scope='session')
def metadata(config_text: str) -> Callable[..., Metadata]:
    """Make what a file tells about itself; any part of it may differ."""

    def make(*, inside: bool = False, **changes: Any) -> Metadata:
        facts = {
            'name': 'tiny',
            'classes': CLASSES,
            'size': None if inside else (128, 128),
            'batch': None,
            'preparation': Preparation(
                (0.0,) * 3, (1.0,) * 3, resize=(128, 128), inside=inside
            ),
            'suppression': {'score_thr': 0.05},
            'precision': 'fp32',
            'config': config_text,
            'config_sha256': hashlib.sha256(config_text.encode()).hexdigest(),
        }
        return Metadata(**{**facts, **changes})

    return make


@pytest.fixture
def tiny_file(tmp_path: Path, metadata: Callable[..., Metadata]) -> Callable[..., Path]:
    """Write a file of the small graph: ``.onnx``, ``.xml`` or ``.pt2``."""

    def write(name: str = 'tiny.onnx', *, raw: bool = False, **changes: Any) -> Path:
        facts = metadata(**{**({'suppression': None} if raw else {}), **changes})
        path = tmp_path / name
        if path.suffix == '.pt2':
            _write_pt2(path, facts)
            return path
        model = tiny_onnx(facts, raw=raw)
        if path.suffix == '.onnx':
            onnx.save(model, path)
            return path
        import openvino

        onnx.save(model, path.with_suffix('.onnx'))
        graph = openvino.convert_model(path.with_suffix('.onnx'))
        graph.set_rt_info(facts.to_json(), KEY)
        openvino.save_model(graph, path, compress_to_fp16=False)
        path.with_suffix('.onnx').unlink()
        return path

    return write


def tiny_onnx(facts: Metadata, *, raw: bool = False) -> onnx.ModelProto:
    """Make the small graph; ``raw`` gives all boxes, and a score of each class."""
    inside = facts.preparation.inside
    height, width = facts.size or ('height', 'width')
    shape = ['N', height, width, 3] if inside else ['N', 3, height, width]
    shape[0] = facts.batch or 'N'
    kind = TensorProto.UINT8 if inside else TensorProto.FLOAT
    scores = [[w if c == i else 0.0 for c in range(10)] for i, w in enumerate(WEIGHTS)]
    constants = {
        'axes': torch.tensor([1, 2, 3]),
        'last': torch.tensor([2] if raw else [1]),
        'none': torch.tensor(0.0),
        'const_boxes': torch.tensor(BOXES),
        'const_scores': torch.tensor(scores if raw else WEIGHTS),
        'const_labels': torch.tensor(LABELS),
    }
    nodes = [
        helper.make_node('Cast', ['images'], ['pixels'], to=TensorProto.FLOAT),
        helper.make_node('ReduceMean', ['pixels', 'axes'], ['means'], keepdims=0),
        helper.make_node('Unsqueeze', ['means', 'one'], ['mean']),
        helper.make_node('Mul', ['mean', 'none'], ['nothing']),
        helper.make_node('Unsqueeze', ['nothing', 'two'], ['nothing_more']),
        helper.make_node('Unsqueeze', ['mean', 'two'], ['mean_more']),
        helper.make_node('Add', ['const_boxes', 'nothing_more'], ['boxes']),
        helper.make_node('Mul', ['const_scores', 'mean'], ['scores']),
        helper.make_node('Mul', ['const_scores', 'mean_more'], ['all_scores']),
        helper.make_node('Identity', ['boxes'], ['all_boxes']),
        helper.make_node('Cast', ['nothing'], ['no_label'], to=TensorProto.INT64),
        helper.make_node('Add', ['const_labels', 'no_label'], ['labels']),
    ]
    constants |= {'one': torch.tensor([1]), 'two': torch.tensor([2])}
    names = ['all_boxes', 'all_scores'] if raw else ['boxes', 'scores', 'labels']
    unused = {'scores'} if raw else {'all_scores', 'mean_more'}
    graph = helper.make_graph(
        [node for node in nodes if node.output[0] not in unused],
        'tiny',
        [helper.make_tensor_value_info('images', kind, shape)],
        [
            helper.make_tensor_value_info(
                x, TensorProto.INT64 if x == 'labels' else TensorProto.FLOAT, None
            )
            for x in names
        ],
        [numpy_helper.from_array(v.numpy(), k) for k, v in constants.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', 20)], ir_version=10
    )
    helper.set_model_props(model, {KEY: facts.to_json()})
    return model


def _write_pt2(path: Path, facts: Metadata) -> None:
    height, width = facts.size
    program = torch.export.export(
        Tiny(),
        (torch.zeros(2, 3, height, width),),
        dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
    )
    torch.export.save(program, path, extra_files={f'{KEY}.json': facts.to_json()})
