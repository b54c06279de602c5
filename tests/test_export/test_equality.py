"""What a real export gives, against the detector that it was made of."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from m2det_mmdet.apis import ExportResult, evaluate, predict
from m2det_mmdet.datasets.scenes import write_scenes

MODEL = 'm2det_r18_scenes'


@pytest.fixture(scope='module')
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('scenes')
    write_scenes(root, num_train=1, num_val=6, num_test=1, size=(128, 128))
    return root


@pytest.mark.slow
@pytest.mark.parametrize('name', ['scenes.onnx', 'scenes.xml'])
def test_a_file_finds_what_its_detector_finds(
    scenes: Path, tmp_path: Path, exported: Callable[..., ExportResult], name: str
) -> None:
    file = exported(name).path

    ours, theirs = (
        predict(model, scenes / 'val', tmp_path / name, device='cpu', batch_size=4)
        for name, model in (('a', MODEL), ('b', file))
    )
    figures = [
        evaluate(x, data=scenes, split='val', device='cpu', work_dir=tmp_path / 'w')
        for x in (MODEL, file)
    ]

    ours, theirs = (json.loads(x.results.read_text()) for x in (ours, theirs))
    assert len(ours) == len(theirs) > 20
    for one, other in zip(ours, theirs, strict=True):
        assert one['file_name'] == other['file_name']
        assert one['category_id'] == other['category_id']
        assert one['bbox'] == pytest.approx(other['bbox'], abs=1e-3)
        assert one['score'] == pytest.approx(other['score'], abs=1.1e-5)
    first, second = (
        {k: v for k, v in x.metrics.items() if k.startswith('coco/')} for x in figures
    )
    assert first == pytest.approx(second, abs=0, nan_ok=True)
    assert len(first) >= 12
