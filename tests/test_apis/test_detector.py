"""The detector in a program: each kind of input, many of them, threads, other data."""

import http.server
import json
import multiprocessing
import os
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer
from mmengine.config import Config
from PIL import Image

import m2det_mmdet
from m2det_mmdet import Detector, M2DetError, Prediction, apis
from m2det_mmdet.apis import detection
from m2det_mmdet.apis import detector as module
from m2det_mmdet.datasets.scenes import write_scenes

QUICK = {
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'val_dataloader.num_workers': 0,
    'val_dataloader.persistent_workers': False,
    'test_dataloader.num_workers': 0,
    'test_dataloader.persistent_workers': False,
    'model.neck.num_levels': 1,
}


@pytest.fixture(scope='module')
def detector(trained: SimpleNamespace) -> Detector:
    return Detector(trained.checkpoint, device='cpu')


@pytest.fixture(scope='module')
def paths(trained: SimpleNamespace) -> list[Path]:
    return sorted((trained.scenes / 'val').iterdir())


@pytest.fixture(scope='module')
def server(paths: list[Path]) -> Iterator[str]:
    """Address of the folder of the images."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

    handler = partial(Quiet, directory=paths[0].parent)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,)).start()
        yield f'http://127.0.0.1:{running.server_port}'
        running.shutdown()


def values(found: Prediction) -> tuple[list, ...]:
    return found.boxes.tolist(), found.scores.tolist(), found.labels.tolist()


def test_it_knows_what_it_is(detector: Detector, trained: SimpleNamespace) -> None:
    assert m2det_mmdet.Detector is apis.Detector
    assert detector.classes == tuple(Config.fromfile(trained.config).classes)
    assert detector.checkpoint == trained.checkpoint
    assert detector.config.model.type == 'M2Det'
    assert detector.device == torch.device('cpu')
    assert isinstance(detector.inferencer, DetInferencer)
    assert detector.training is None
    assert repr(detector).endswith('epoch_1.pth (10 classes, cpu)>')


@pytest.mark.parametrize(
    'kind', ['path', 'text', 'url', 'array', 'pillow', 'transparent', 'deep']
)
def test_an_image_of_each_kind_gives_the_same(
    kind: str, detector: Detector, paths: list[Path], server: str, tmp_path: Path
) -> None:
    array = cv2.imread(str(paths[0]))
    source = {
        'path': paths[0],
        'text': str(paths[0]),
        'url': f'{server}/{paths[0].name}',
        'array': array,
        'pillow': Image.fromarray(array[..., ::-1]),
        'transparent': cv2.cvtColor(array, cv2.COLOR_BGR2BGRA),
        'deep': array.astype(np.uint16) << 8,
    }[kind]
    before = array.copy()

    found = detector(source)

    expected = detector(paths[0])
    assert len(expected) > 0
    assert values(found) == values(expected)
    assert found.size == (128, 128)
    assert found.path == (paths[0] if kind in ('path', 'text') else None)
    assert np.array_equal(found.image, before)
    assert np.array_equal(array, before)
    assert found.boxes.dtype == np.float32
    assert (np.diff(found.scores) <= 0).all()


def test_it_finds_what_predict_and_mmdet_find(
    detector: Detector, trained: SimpleNamespace, paths: list[Path], tmp_path: Path
) -> None:
    found = list(detector(paths))

    written = apis.predict(
        trained.config, paths, tmp_path, checkpoint=trained.checkpoint
    )
    host = DetInferencer(
        trained.config, trained.checkpoint, device='cpu', show_progress=False
    )
    records = json.loads((tmp_path / 'results.json').read_text())
    for mine, other, path in zip(found, written.predictions, paths, strict=True):
        assert values(mine) == values(other)
        own = [x for x in records if x['image_id'] == mine.image_id]
        wanted = ('image_id', 'category_id', 'bbox', 'score', 'file_name')
        assert [{key: x[key] for key in wanted} for x in mine.to_coco()] == [
            {key: x[key] for key in wanted} for x in own
        ]
        (sample,) = host(str(path), return_datasamples=True, no_save_vis=True)[
            'predictions'
        ]
        assert sample.pred_instances.bboxes.tolist() == mine.boxes.tolist()
        assert sample.pred_instances.scores.tolist() == mine.scores.tolist()


@pytest.mark.parametrize('batch_size', [1, 2, 5])
def test_many_come_one_by_one(
    batch_size: int, detector: Detector, paths: list[Path], server: str
) -> None:
    one = [detector(path) for path in paths]
    mixed = [paths[0], cv2.imread(str(paths[1])), f'{server}/{paths[2].name}']
    for many in (
        paths,
        paths[0].parent,
        f'{paths[0].parent}/*.jpg',
        mixed,
        iter(paths),
    ):
        found = detector(many, batch_size=batch_size)
        assert iter(found) is found
        for index, (mine, other) in enumerate(zip(found, one, strict=True), start=1):
            assert mine.image_id == index
            np.testing.assert_allclose(mine.boxes, other.boxes, atol=1e-2)
            np.testing.assert_allclose(mine.scores, other.scores, atol=1e-5)
    assert list(detector([])) == []


def test_images_are_taken_when_their_turn_comes(
    detector: Detector, paths: list[Path]
) -> None:
    taken = []

    def images() -> Iterator[Path]:
        for path in paths * 2:
            taken.append(path)
            yield path

    found = detector(images(), batch_size=2)
    assert taken == []
    next(found)
    next(found)
    assert len(taken) == 2
    next(found)
    assert len(taken) == 4


def test_a_bad_image_is_raised_at_its_turn(
    detector: Detector, paths: list[Path], tmp_path: Path
) -> None:
    (tmp_path / 'text.jpg').write_text('text')
    for bad in ('absent.jpg', tmp_path / 'text.jpg', np.zeros((2, 2)), None):
        with pytest.raises(M2DetError):
            detector(bad)
        for batch_size in (1, 3):
            found = detector([paths[0], bad, paths[1]], batch_size=batch_size)
            assert next(found).path == paths[0]
            with pytest.raises(M2DetError):
                next(found)
            assert list(found) == []


def test_a_program_may_go_on_after_bad_images(
    detector: Detector, paths: list[Path]
) -> None:
    told = []

    def tell(name: str | int, error: M2DetError) -> None:
        told.append((name, str(error)))

    for batch_size in (1, 2, 9):
        told.clear()
        many = ['absent.jpg', paths[0], np.zeros((2, 2)), None, paths[1]]

        found = list(detector(many, batch_size=batch_size, on_error=tell))

        assert [x.path for x in found] == paths[:2]
        assert [x.image_id for x in found] == [2, 5]
        assert [name for name, _ in told] == ['absent.jpg', 2, 3]
        assert told[0][1] == 'There is no image absent.jpg: check the path.'


def test_an_image_that_the_detector_fails_with_is_named(
    detector: Detector, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detector.inferencer, 'forward', lambda *_: 1 / 0)

    with pytest.raises(M2DetError, match=r'fails with .*\.jpg \(ZeroDivisionError'):
        detector(paths[0])
    with pytest.raises(M2DetError, match='The detector fails with image 1'):
        detector(cv2.imread(str(paths[0])))


def test_scores_and_classes_are_chosen(detector: Detector, paths: list[Path]) -> None:
    everything = detector(paths[0])
    name, score = everything.names[0], float(everything.scores[0])

    assert len(detector(paths[0], score_thr=1.0)) == 0
    kept = detector(paths[0], score_thr={name: score - 1e-4}, classes=name)
    assert set(kept.names) == {name}
    (many,) = detector(paths[:1], classes=[name])
    assert many.counts() == {name: everything.counts()[name]}
    taken = iter(['absent.jpg'])
    for wrong, message in (
        ({'classes': ['discs']}, 'no class discs: did you mean disc'),
        ({'score_thr': {'x': 0.5}}, 'no class x'),
        ({'score_thr': 2}, 'score_thr must be from 0 to 1, got 2'),
        ({'score_thr': '0.5'}, "score_thr must be from 0 to 1, got '0.5'"),
        ({'batch_size': 0}, 'batch_size must be at least 1, got 0'),
        ({'batch_size': '2'}, "batch_size must be at least 1, got '2'"),
    ):
        # Before any image is taken.
        with pytest.raises(M2DetError, match=message):
            detector(taken, **wrong)
    assert next(taken) == 'absent.jpg'


def test_eight_threads_find_what_one_finds(
    detector: Detector, paths: list[Path]
) -> None:
    many = paths * 8
    one = [values(detector(path)) for path in paths] * 8

    with ThreadPoolExecutor(8) as pool:
        found = [values(x) for x in pool.map(detector, many)]

    assert found == one


def test_one_image_at_a_time_is_in_the_network(
    detector: Detector, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, most = [], []

    def look(inferencer: DetInferencer, images: list[np.ndarray]) -> list:
        inside.append(1)
        most.append(len(inside))
        threading.Event().wait(0.005)
        inside.pop()
        return ['fails'] * len(images)

    monkeypatch.setattr(module, 'detect_together', look)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda x: list(detector([x], on_error=print)), paths * 4))

    assert max(most) == 1
    assert detection.detect_together is not look


def test_detectors_are_built_in_several_threads(
    trained: SimpleNamespace, paths: list[Path], detector: Detector
) -> None:
    expected = values(detector(paths[0]))

    with ThreadPoolExecutor(3) as pool:
        built = list(pool.map(Detector, [trained.checkpoint] * 3))

    assert [values(other(paths[0])) for other in built] == [expected] * 3


def test_it_prints_nothing(
    trained: SimpleNamespace, paths: list[Path], capfd: pytest.CaptureFixture
) -> None:
    found = Detector(trained.config, trained.checkpoint)(paths[0])
    list(Detector(trained.work_dir)([*paths, 'absent.jpg'], on_error=lambda *_: None))
    found.plot()

    assert capfd.readouterr() == ('', '')


def test_it_is_pickled_without_its_weights(
    detector: Detector, paths: list[Path]
) -> None:
    stored = pickle.dumps(detector)

    other = pickle.loads(stored)

    assert len(stored) < 10**5
    assert values(other(paths[0])) == values(detector(paths[0]))
    assert other.device == detector.device


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='The system cannot fork.')
def test_a_forked_process_is_told_that_it_would_hang(
    detector: Detector, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 2)
    monkeypatch.setattr(detector, '_process', os.getpid() + 1)

    with pytest.raises(M2DetError, match='forked, and PyTorch.*: start processes by'):
        detector(paths[0])

    monkeypatch.setattr(torch, 'get_num_threads', lambda: 1)
    assert len(detector(paths[0])) > 0
    assert 'spawn' in multiprocessing.get_all_start_methods()


def test_images_are_turned_as_viewers_do(
    detector: Detector, paths: list[Path], tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = cv2.imread(str(paths[0]))[:96]
    stored = np.ascontiguousarray(np.rot90(upright, 1)[..., ::-1])
    for suffix in ('png', 'webp'):
        path = tmp_path / f'a.{suffix}'
        Image.fromarray(stored).save(path, exif=exif, lossless=True)
        for source in (path, Image.open(path)):
            found = detector(source)
            assert values(found) == values(detector(upright))
            assert found.size == (128, 96)
    written = apis.predict(detector.config, tmp_path, checkpoint=detector.checkpoint)
    for mine in written.predictions:
        assert values(mine) == values(detector(upright))


def test_wrong_arguments_are_sentences(trained: SimpleNamespace) -> None:
    for argv, how, message in (
        (['m2det_r18_scene'], {}, 'There is no model m2det_r18_scene: did you mean'),
        ([trained.config], {}, 'is a config, which has no weights'),
        ([trained.checkpoint], {'device': 'moon'}, 'device moon cannot be used here'),
        ([trained.checkpoint], {'autocast': 'int8'}, 'autocast must be one of'),
        ([trained.checkpoint], {'options': {'modell': 1}}, 'did you mean model'),
        (['m2det_vgg_320', trained.checkpoint], {}, 'does not fit|lacks'),
    ):
        with pytest.raises(M2DetError, match=message):
            Detector(*argv, **how)


def test_a_fast_detector_finds_the_same(
    trained: SimpleNamespace, paths: list[Path], detector: Detector
) -> None:
    fast = Detector(trained.work_dir, trained.checkpoint, fast=True)

    found, expected = fast(paths[0]), detector(paths[0])

    np.testing.assert_allclose(found.boxes, expected.boxes, atol=0.1)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-3)


def test_it_is_evaluated_on_its_data_and_on_other_data(
    detector: Detector, trained: SimpleNamespace, tmp_path: Path
) -> None:
    own = detector.evaluate(work_dir=tmp_path / 'own')
    val = detector.evaluate(split='val', work_dir=tmp_path / 'val')
    other = detector.evaluate(trained.scenes, split='val', work_dir=tmp_path / 'other')

    assert own.ap == val.ap == other.ap == trained.result.metrics['coco/bbox_mAP']
    train = detector.evaluate(trained.scenes, split='train', work_dir=tmp_path / 'tr')
    assert train.log.is_file()
    # The config in a checkpoint does not tell what it was trained on.
    with pytest.raises(M2DetError, match='no train data: choose one of val, test'):
        detector.evaluate(split='train', work_dir=tmp_path)
    with pytest.raises(M2DetError, match='split must be one of train, val, test'):
        detector.evaluate(trained.scenes, split='all', work_dir=tmp_path)


def test_data_of_other_classes_are_refused(detector: Detector, tmp_path: Path) -> None:
    few = {'num_train': 2, 'num_val': 1, 'num_test': 1, 'size': (128, 128)}
    write_scenes(tmp_path / 'toys', **few, collection='toys')

    with pytest.raises(
        M2DetError,
        match='has objects of the class house, which the detector does not know; it '
        'knows disc, square, triangle,',
    ):
        detector.evaluate(tmp_path / 'toys', work_dir=tmp_path / 'work')
    with pytest.raises(M2DetError, match='absent'):
        detector.evaluate(tmp_path / 'absent', work_dir=tmp_path / 'work')


def test_the_order_of_classes_does_not_matter(
    detector: Detector, trained: SimpleNamespace, tmp_path: Path
) -> None:
    data = tmp_path / 'data'
    (data / 'annotations').mkdir(parents=True)
    for split in ('train', 'val'):
        (data / split).symlink_to(trained.scenes / split)
        source = trained.scenes / 'annotations' / f'{split}.json'
        content = json.loads(source.read_text())
        content['categories'].reverse()
        (data / 'annotations' / f'{split}.json').write_text(json.dumps(content))

    # There is no test split.
    found = detector.evaluate(data, work_dir=tmp_path / 'work')

    assert found.ap == trained.result.metrics['coco/bbox_mAP']


def test_it_is_trained_in_a_line(trained: SimpleNamespace, tmp_path: Path) -> None:
    detector = Detector.train(
        trained.scenes,
        'm2det_r18_scenes',
        epochs=1,
        batch_size=2,
        device='cpu',
        work_dir=tmp_path / 'run',
        options=QUICK,
    )

    assert detector.training.usable_checkpoint == tmp_path / 'run' / 'best.pth'
    assert detector.checkpoint == str(tmp_path / 'run' / 'best.pth')
    assert detector.classes[0] == 'disc'
    assert 0 <= detector.evaluate(work_dir=tmp_path / 'test').ap <= 1
    again = Detector(tmp_path / 'run', device='cpu')
    image = next((trained.scenes / 'val').iterdir())
    assert values(again(image)) == values(detector(image))
    # The checkpoint alone says the same.
    alone = Detector(tmp_path / 'run' / 'best.pth', device='cpu')
    assert values(alone(image)) == values(detector(image))
    with pytest.raises(M2DetError, match='absent'):
        Detector.train(tmp_path / 'absent')


@pytest.mark.parametrize(
    ('argument', 'value'),
    [
        ('inputs', None),
        ('formats', 5),
        ('classes', 5),
        ('class_score_thr', 5),
        ('on_event', 5),
        ('options', 5),
        ('out', 'a\0b'),
        ('model', 'a\0b'),
        ('tile', 'x'),
        ('tile', True),
    ],
)
def test_predict_tells_wrong_arguments_in_a_sentence(
    argument: str, value: object, trained: SimpleNamespace, tmp_path: Path
) -> None:
    how = {'model': trained.checkpoint, 'inputs': str(trained.scenes / 'val')}

    with pytest.raises(M2DetError) as caught:
        apis.predict(**{**how, argument: value})

    assert str(caught.value).isprintable()


def test_a_detector_tells_wrong_arguments_in_a_sentence(
    detector: Detector, paths: list[Path], trained: SimpleNamespace
) -> None:
    with pytest.raises(M2DetError, match='options must be a dictionary'):
        Detector(trained.checkpoint, options=5)
    with pytest.raises(M2DetError, match='classes must be a text or a list'):
        detector(paths[0], classes=5)
    with pytest.raises(M2DetError, match='on_error must be a function'):
        detector(paths, on_error=5)
    with pytest.raises(M2DetError, match='A picture is named by a path, got None'):
        detector(paths[0]).save(None)
    with pytest.raises(M2DetError, match='which no file can have'):
        detector(paths[0]).save('a\0b.png')


def test_classes_may_come_one_by_one(detector: Detector, paths: list[Path]) -> None:
    name = detector(paths[0]).names[0]

    found = detector(paths[0], classes=(x for x in [name]))

    assert set(found.names) == {name}


@pytest.mark.parametrize(
    ('function', 'arguments', 'told'),
    [
        ('train', {'data': 5}, 'data must be a path, got 5'),
        ('train', {'data': '.', 'freeze': 5}, 'freeze must be a text or a list'),
        ('train', {'data': '.', 'loggers': [5]}, 'loggers must hold texts, got 5'),
        ('evaluate', {'model': 'a', 'work_dir': 5}, 'work_dir must be a path, got 5'),
        ('evaluate', {'model': 'a', 'predictions': 5}, 'predictions must be a path'),
        ('check_data', {'data': None}, 'data must be a path, got None'),
        ('fit_anchors', {'config': 'a', 'data': 5}, 'data must be a path, got 5'),
        ('compare', {'configs': 5, 'out': None}, 'out must be a path, got None'),
        ('evaluate', {'model': 'a', 'autocast': [5]}, 'autocast must be one of'),
        ('evaluate', {'model': 'a', 'device': []}, 'A device is named by a text'),
    ],
)
def test_a_path_or_a_text_of_another_kind_is_a_sentence(
    function: str, arguments: dict[str, Any], told: str
) -> None:
    with pytest.raises(M2DetError, match=told):
        getattr(apis, function)(**arguments)
