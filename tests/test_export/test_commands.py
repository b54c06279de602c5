"""Exported files where the commands and their functions take a model."""

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from m2det_mmdet import Detector, M2DetError
from m2det_mmdet.apis import benchmark, evaluate, predict, train
from m2det_mmdet.apis.model_source import find_model
from m2det_mmdet.apis.prediction_jobs import _with_content
from m2det_mmdet.apis.prediction_look import DetectorPlan
from m2det_mmdet.checkpoints.embedded_config import embedded_config
from m2det_mmdet.cli import main
from m2det_mmdet.datasets.scenes import write_scenes

from .conftest import CLASSES

GREY = np.full((64, 256, 3), 150, np.uint8)


@pytest.fixture(scope='session')
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('scenes')
    write_scenes(root, num_train=1, num_val=2, num_test=1, size=(128, 128))
    return root


@pytest.mark.parametrize(
    'suffix',
    ['.onnx', '.xml', '.pt2'],
)
def test_a_detector_of_a_file(tiny_file: Callable[..., Path], suffix: str) -> None:
    path = tiny_file('tiny' + suffix)

    detector = Detector(path, device='cpu', threads=1)
    found = detector(GREY)

    assert detector.classes == CLASSES
    assert [*found.names] == ['square', 'disc']
    # The image is twice as wide and half as high as the input.
    assert found.boxes[0].tolist() == pytest.approx((16, 8, 80, 32))


def test_a_detector_of_a_file_goes_to_another_process(
    tiny_file: Callable[..., Path],
) -> None:
    detector = pickle.loads(pickle.dumps(Detector(tiny_file(), provider='cpu')))

    assert detector.inferencer.model.file.runtime.endswith('cpu')
    assert len(detector(GREY)) == 2


def test_a_file_of_another_size_gets_images_of_it(
    tiny_file: Callable[..., Path],
) -> None:
    path = tiny_file(size=(96, 160))

    found = Detector(path)(GREY)

    assert find_model(path).cfg.test_dataloader.dataset.pipeline[1].scale == (160, 96)
    assert found.boxes[0, 0] == pytest.approx(8 * 256 / 160)


def test_a_file_that_prepares_images_gets_them_from_the_loader(
    tiny_file: Callable[..., Path],
) -> None:
    path = tiny_file(inside=True)

    found = Detector(path)(GREY // 150)

    kinds = [x.type for x in find_model(path).cfg.test_dataloader.dataset.pipeline]
    assert 'Resize' not in kinds
    assert found.boxes[0].tolist() == [8, 16, 40, 64]
    assert found.scores[0] == 1.0


def test_predict_writes_what_a_file_finds(
    tiny_file: Callable[..., Path], tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / 'a.png'), GREY)

    assert main(
        [
            'predict',
            str(tiny_file()),
            str(tmp_path / 'a.png'),
            '-o',
            str(tmp_path / 'o'),
        ]
        + ['--threads', '1']
    ) in (0, None)

    records = json.loads((tmp_path / 'o' / 'results.json').read_text())
    assert [x['category_name'] for x in records] == ['square', 'disc']


def test_evaluate_tells_all_figures_of_a_file(
    tiny_file: Callable[..., Path], scenes: Path, tmp_path: Path
) -> None:
    result = evaluate(tiny_file(), data=scenes, split='val', work_dir=tmp_path / 'w')

    assert {'coco/bbox_mAP', 'coco/bbox_mAP_50', 'coco/bbox_mAP_s'} <= {*result.metrics}
    assert result.ap is not None


def test_data_of_other_classes_are_told(
    tiny_file: Callable[..., Path], scenes: Path
) -> None:
    options = {
        'test_dataloader.dataset.data_root': f'{scenes}/',
        'test_dataloader.dataset.metainfo.classes': ('disc', 'square'),
        'test_evaluator.ann_file': f'{scenes}/annotations/val.json',
        'work_dir': str(scenes / 'work'),
    }
    with pytest.raises(M2DetError, match=r'predicts 10 classes .* has 2 \(disc, squ'):
        evaluate(tiny_file(), options=options)


@pytest.mark.parametrize(
    ('raw', 'suppression'),
    [(False, 'within the graph'), (True, r'soft_nms, \w+ kernel')],
)
def test_benchmark_times_a_file_as_a_whole(
    tiny_file: Callable[..., Path], raw: bool, suppression: str
) -> None:
    path = tiny_file(raw=raw)

    report = benchmark(
        path, device='cpu', images=2, warm_up=0, batch_sizes=[2], threads=1
    )

    assert [x.batch_size for x in report.speeds] == [1, 2]
    assert all(x.network is None and x.total.median > 0 for x in report.speeds)
    assert raw or report.speeds[0].boxes == 2
    assert (report.config, report.checkpoint) == ('tiny', str(path))
    assert report.runtime.endswith('cpu, threads: 1')
    assert re.fullmatch(suppression, report.suppression)
    assert f'runtime       {report.runtime}' in report.to_text()
    assert 'cannot be timed apart' in report.to_text()


@pytest.mark.parametrize(
    ('call', 'match'),
    [
        (lambda x: Detector(x, fast=True), 'fast, compile and autocast do not change'),
        (lambda x: predict(x, 'a.jpg', autocast='bfloat16'), 'do not change'),
        (lambda x: evaluate(x, tta=True), 'cannot be tested with tta'),
        (lambda x: benchmark(x, fast=True), 'do not change'),
        (
            lambda x: benchmark(x, checkpoint='a.pth'),
            r'no checkpoint: leave out a\.pth',
        ),
        (lambda x: Detector(x, 'a.pth'), r'needs no checkpoint: leave out a\.pth'),
        (lambda x: Detector('m2det_r18_scenes', x), 'no weights to load'),
        (lambda x: Detector(x, threads=0), 'threads must be at least 1, got 0'),
        (lambda x: Detector(x, provider='tensorrt'), 'no provider tensorrt'),
        (
            lambda x: Detector(x, options={'model.test_cfg.score_thr': 0.1}),
            r'model\.test_cfg\.score_thr cannot be set',
        ),
        (lambda x: benchmark('m2det_r18_scenes', checkpoint=x), 'no weights to load'),
        (lambda x: train('m2det_r18_scenes', data='d', start=x), 'no weights to load'),
        (lambda _: Detector('m2det_r18_scenes', threads=1), 'are for exported files'),
        (lambda _: benchmark('m2det_r18_scenes', provider='cpu'), 'for exported files'),
    ],
)
def test_what_does_not_fit_a_file_is_told(
    tiny_file: Callable[..., Path], call: Callable[[Path], object], match: str
) -> None:
    path = tiny_file()

    with pytest.raises(M2DetError, match=match):
        call(path)


@pytest.mark.parametrize(
    ('changes', 'match'),
    [
        ({'config': 'import os'}, "holds 'import', which is no plain data"),
        ({'config': 'model = dict(type="os.system")'}, 'has no test_dataloader'),
        ({'format': 9}, r'later version of m2det \(format 9'),
        ({'size': (0, 4)}, 'metadata .* cannot be read'),
        ({'batch': 'many'}, 'metadata .* cannot be read'),
        ({'classes': 'abc'}, 'metadata .* cannot be read'),
        ({'config': None}, 'metadata .* cannot be read'),
    ],
)
def test_hostile_metadata_are_told(
    tiny_file: Callable[..., Path], changes: dict, match: str
) -> None:
    path = tiny_file()
    model = onnx.load(path)
    facts = json.loads(model.metadata_props[0].value)
    model.metadata_props[0].value = json.dumps({**facts, **changes})
    onnx.save(model, path)

    with pytest.raises(M2DetError, match=match):
        Detector(path)


def test_a_checkpoint_may_not_name_an_exported_file() -> None:
    text = (
        "model = dict(type='ExportedDetector', file='/a.pt2', classes=('a',))\n"
        'test_dataloader = dict()'
    )
    with pytest.raises(M2DetError, match='ExportedDetector may not come from'):
        embedded_config(text, 'x.pth')


def test_both_files_of_openvino_travel(tiny_file: Callable[..., Path]) -> None:
    path = tiny_file('tiny.xml')
    source = find_model(path)

    plan = _with_content(DetectorPlan(source.cfg, source.checkpoint, 'cpu'))
    path.unlink()
    path.with_suffix('.bin').unlink()

    assert sorted(plan.contents) == ['tiny.bin', 'tiny.xml']
    assert plan.build().classes == CLASSES
