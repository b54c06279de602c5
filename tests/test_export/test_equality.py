"""What a real export gives, against the detector that it was made of."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from m2det_mmdet.apis import ExportResult, M2DetError, evaluate, export, predict
from m2det_mmdet.apis.exported_scores import ScoreOnData
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
        # One step of the last digit that is written.
        assert one['bbox'] == pytest.approx(other['bbox'], abs=0.011)
        assert one['score'] == pytest.approx(other['score'], abs=1.1e-5)
    first, second = (
        {k: v for k, v in x.metrics.items() if k.startswith('coco/')} for x in figures
    )
    assert first == pytest.approx(second, abs=0, nan_ok=True)
    assert len(first) >= 12


@pytest.mark.slow
@pytest.mark.parametrize(('precision', 'size'), [('fp16', 0.6), ('int8', 0.4)])
def test_a_precision_is_judged_by_the_ap(
    scenes: Path, exported: Callable[..., ExportResult], precision: str, size: float
) -> None:
    whole = exported('scenes.onnx')
    result = exported(
        f'{precision}.onnx', precision=precision, data=scenes, max_drop=0.1, force=True
    )

    before, after = result.ap
    own = evaluate(result.path, data=scenes, split='val', device='cpu').ap
    assert before == evaluate(whole.path, data=scenes, split='val', device='cpu').ap
    assert after == own
    assert before > 0.4
    assert after >= before - 0.1
    assert result.metadata.precision == precision
    assert result.path.stat().st_size < size * whole.path.stat().st_size
    # The network's numbers are others, the suppression of them is the same.
    assert max(x.outputs for x in result.compared) > 1e-4
    assert max(x.scores for x in result.compared) <= 1e-5


@pytest.mark.slow
def test_a_precision_that_costs_too_much_leaves_nothing(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aps = iter([0.9, 0.8])
    monkeypatch.setattr(ScoreOnData, '__call__', lambda *_: next(aps))

    with pytest.raises(M2DetError, match=r'fp16 takes the AP from 0\.900 to 0\.800'):
        export(
            'm2det_r18_scenes',
            out=tmp_path / 'x.onnx',
            precision='fp16',
            data=scenes,
        )
    assert not list(tmp_path.iterdir())
