import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer
from mmengine.structures import InstanceData
from torch import nn

from m2det_mmdet.apis import detection, prediction_look
from m2det_mmdet.cli import main
from m2det_mmdet.utils.images import read_images


@pytest.fixture
def images(trained: SimpleNamespace, tmp_path: Path) -> Path:
    """Two images of the same name in two folders."""
    for folder, number in (('a', 1), ('b', 2)):
        (tmp_path / 'images' / folder).mkdir(parents=True)
        shutil.copy(
            trained.scenes / 'val' / f'{number:06d}.jpg',
            tmp_path / 'images' / folder / 'x.jpg',
        )
    return tmp_path / 'images'


def _predict(trained: SimpleNamespace, *argv: str | Path) -> int:
    command = ['predict', trained.config, trained.checkpoint, '--score-thr', '0.02']
    return main([*command, *map(str, argv)])


def _records(out: Path) -> list[dict]:
    return json.loads((out / 'results.json').read_text())


def test_a_folder_gives_pictures_and_boxes(
    trained: SimpleNamespace, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'out'

    assert _predict(trained, images, '-o', out, '--batch-size', '2') == 0

    pictures = sorted(
        path.relative_to(out).as_posix() for path in out.rglob('*') if path.is_file()
    )
    assert pictures == [
        'labels.json',
        'pictures/a/x.jpg',
        'pictures/b/x.jpg',
        'predict.json',
        'results.json',
    ]
    assert cv2.imread(str(out / pictures[1])).shape == (128, 128, 3)
    records = _records(out)
    names = {record['image_id']: record['file_name'] for record in records}
    assert names == {1: 'a/x.jpg', 2: 'b/x.jpg'}
    for record in records:
        left, top, width, height = record['bbox']
        assert min(left, top, width, height) >= 0
        assert max(left + width, top + height) <= 128.01
        assert 1 <= record['category_id'] <= 10


def test_results_are_those_of_the_test(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    annotations = trained.scenes / 'annotations' / 'val.json'
    prefix = tmp_path / 'tested'
    argv = ['test', trained.config, trained.checkpoint, '--work-dir', str(tmp_path)]
    main([*argv, '--cfg-options', f'test_evaluator.outfile_prefix={prefix}'])

    _predict(
        trained,
        trained.scenes / 'val',
        *('-o', tmp_path / 'out', '--ann-file', annotations, '--batch-size', '3'),
    )

    tested = json.loads(Path(f'{prefix}.bbox.json').read_text())
    predicted = _records(tmp_path / 'out')
    assert [(item['image_id'], item['category_id']) for item in predicted] == [
        (item['image_id'], item['category_id']) for item in tested
    ]
    torch.testing.assert_close(
        torch.tensor([[*item['bbox'], item['score']] for item in predicted]),
        torch.tensor([[*item['bbox'], item['score']] for item in tested]),
        atol=0.01,
        rtol=1e-3,
    )


@pytest.mark.parametrize(
    ('options', 'tolerance'),
    [(['--fast'], 1e-4), (['--fast', '--autocast', 'bfloat16'], 0.02)],
)
def test_faster_predictions_are_the_same(
    options: list[str],
    tolerance: float,
    trained: SimpleNamespace,
    images: Path,
    tmp_path: Path,
    assert_found_again: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    def note(model: nn.Module, options: dict) -> None:
        calls.append(options)
        make_faster(model, options)

    make_faster = prediction_look.make_faster
    monkeypatch.setattr(prediction_look, 'make_faster', note)
    keep_all = ['model.test_cfg.score_thr=0', 'model.test_cfg.max_per_img=800']
    for out, arguments in (('plain', []), ('fast', options)):
        argv = ['-o', tmp_path / out, '--score-thr', 1, *arguments]
        argv += ['--cfg-options', *keep_all]
        assert _predict(trained, images, *argv) == 0

    plain, fast = (_instances(_records(tmp_path / out)) for out in ('plain', 'fast'))
    assert_found_again(plain, fast, tolerance)
    # The second ones are computed in another way.
    assert [call['fold_norm'] for call in calls] == [True]


def _instances(records: list[dict]) -> list[InstanceData]:
    """Boxes (xyxy), scores and labels of each image."""
    found = []
    for image_id in sorted({record['image_id'] for record in records}):
        own = [record for record in records if record['image_id'] == image_id]
        boxes = torch.tensor([record['bbox'] for record in own])
        boxes[:, 2:] += boxes[:, :2]
        found.append(
            InstanceData(
                bboxes=boxes,
                scores=torch.tensor([record['score'] for record in own]),
                labels=torch.tensor([record['category_id'] for record in own]),
            )
        )
    return found


def test_earlier_results_are_no_inputs(trained: SimpleNamespace, images: Path) -> None:
    for force in ([], ['--force']):
        assert _predict(trained, images, '-o', images, *force) == 0

    names = {record['file_name'] for record in _records(images)}
    assert names == {'a/x.jpg', 'b/x.jpg'}


@pytest.mark.parametrize(
    'name',
    ['results.json', 'results.partial.jsonl', 'predict.json', 'pictures/b/x.jpg'],
)
@pytest.mark.parametrize('force', [[], ['--force']], ids=str)
def test_files_of_others_are_never_replaced(
    force: list[str],
    name: str,
    trained: SimpleNamespace,
    images: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = tmp_path / 'out' / name
    old.parent.mkdir(parents=True)
    old.write_text('old')

    # It stops before a model is loaded.
    monkeypatch.setattr(prediction_look, 'build_inferencer', None)
    assert _predict(trained, images, '-o', tmp_path / 'out', *force) == 2

    error = capsys.readouterr().err
    assert f'{old} exists, and is not of an earlier prediction: give an' in error
    assert old.read_text() == 'old'


def test_what_was_found_survives_an_interruption(
    trained: SimpleNamespace,
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def interrupt(paths: list[Path], *_: Any) -> Iterator[tuple[Path, np.ndarray]]:
        yield next(read_images(paths))
        raise KeyboardInterrupt

    monkeypatch.setattr(detection, 'read_images', interrupt)

    assert _predict(trained, images, '-o', tmp_path / 'out') == 130

    assert {item['file_name'] for item in _records(tmp_path / 'out')} == {'a/x.jpg'}
    files = sorted(x.name for x in (tmp_path / 'out').rglob('*') if x.is_file())
    assert files == [
        'labels.json',
        'predict.json',
        'results.json',
        'results.partial.jsonl',
        'x.jpg',
    ]
    assert 'Stopped after 1 of 2 images: ' in capsys.readouterr().err


@pytest.mark.filterwarnings('default:Warning. The .* is out of bounds:UserWarning')
def test_any_valid_image_gets_a_picture_that_can_be_seen(
    trained: SimpleNamespace,
    images: Path,
    tmp_path: Path,
    recwarn: pytest.WarningsRecorder,
) -> None:
    source = cv2.imread(str(images / 'a' / 'x.jpg'))
    shutil.copy(images / 'a' / 'x.jpg', images / 'x')
    cv2.imwrite(str(images / 'x.pgm'), cv2.cvtColor(source, cv2.COLOR_BGR2GRAY))
    cv2.imwrite(str(images / 'x.jpg'), source)
    cv2.imwrite(str(images / 'dot.png'), source[:1, :1])
    inputs = [images, images / 'x', images / 'dot.png']

    assert _predict(trained, *inputs, '-o', tmp_path / 'out') == 0

    pictures = tmp_path / 'out' / 'pictures'
    names = sorted(x.relative_to(pictures).as_posix() for x in pictures.rglob('*.*'))
    assert names == [
        'a/x.jpg',
        'b/x.jpg',
        'dot.png',
        'x.jpg',
        'x.jpg.jpg',
        'x.pgm.jpg',
    ]
    gray = cv2.imread(str(pictures / 'x.pgm.jpg')).astype(int)
    # Boxes are drawn in colour.
    assert (gray.max(axis=2) - gray.min(axis=2)).max() > 50
    found = {item['file_name']: [] for item in _records(tmp_path / 'out')}
    for item in _records(tmp_path / 'out'):
        found[item['file_name']].append((item['bbox'], item['score']))
    assert found['x'] == found['a/x.jpg']
    # Boxes at the border are nothing to warn of.
    assert not [x for x in recwarn if 'out of bounds' in str(x.message)]


def test_a_picture_that_fails_costs_itself_alone(
    trained: SimpleNamespace,
    images: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    # With another suffix it is longer than file systems take.
    (images / 'a' / 'x.jpg').rename(images / 'a' / f'{"x" * 251}.pgm')

    assert _predict(trained, images, '-o', tmp_path / 'out') == 1

    captured = capsys.readouterr()
    assert 'xx.pgm has no picture: drawing it fails (' in captured.err
    assert '2 of 2 images done' in captured.out
    assert len({item['file_name'] for item in _records(tmp_path / 'out')}) == 2


def test_an_image_that_the_detector_fails_with_costs_itself_alone(
    trained: SimpleNamespace,
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    source = cv2.imread(str(images / 'b' / 'x.jpg'))
    cv2.imwrite(str(images / 'b' / 'x.jpg'), source[:, :100])
    forward = DetInferencer.forward

    def fail_with_narrow(self: DetInferencer, inputs: dict, **kwargs: Any) -> Any:
        shapes = [sample.ori_shape for sample in inputs['data_samples']]
        if (128, 100) in shapes:
            raise RuntimeError('no such size\nand more')
        return forward(self, inputs, **kwargs)

    monkeypatch.setattr(DetInferencer, 'forward', fail_with_narrow)
    argv = ['-o', tmp_path / 'out', '--batch-size', '2']

    assert _predict(trained, images, *argv) == 1

    captured = capsys.readouterr()
    assert (
        f'{images / "b" / "x.jpg"} was skipped: the detector fails with it '
        f'(RuntimeError: no such size and more ({Path(__file__).resolve()}:'
    ) in captured.err
    assert {item['file_name'] for item in _records(tmp_path / 'out')} == {'a/x.jpg'}
    # Where it fails with all, that is an error, and older results stay.
    assert _predict(trained, images / 'b', *argv, '--force') == 2
    assert 'Stopped after' not in capsys.readouterr().err
    assert {item['file_name'] for item in _records(tmp_path / 'out')} == {'a/x.jpg'}


def test_two_images_that_are_one_in_the_annotations_are_named(
    trained: SimpleNamespace,
    images: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    content = json.loads((trained.scenes / 'annotations' / 'val.json').read_text())
    content['images'][0]['file_name'] = 'x.jpg'
    ann_file = tmp_path / 'ann.json'
    ann_file.write_text(json.dumps(content))
    argv = ['-o', tmp_path / 'out', '--ann-file', ann_file]

    assert _predict(trained, images, *argv) == 2
    captured = capsys.readouterr()
    for name in ('a', 'b'):
        assert str(images / name / 'x.jpg') in captured.err.splitlines()[-1]
    # And pycocotools is not heard.
    assert captured.out == ''

    content['images'][1]['file_name'] = 'b/x.jpg'
    ann_file.write_text(json.dumps(content))
    assert _predict(trained, images, *argv) == 0
    ids = {item['file_name']: item['image_id'] for item in _records(tmp_path / 'out')}
    assert ids == {
        'a/x.jpg': content['images'][0]['id'],
        'b/x.jpg': content['images'][1]['id'],
    }


def test_what_systems_leave_is_not_counted(
    trained: SimpleNamespace,
    images: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    for name in ('._x.jpg', 'Thumbs.db', '__MACOSX/a/x.jpg', '.hidden/x.jpg'):
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        (images / name).write_text('no image')

    inputs = [images, images / 'Thumbs.db', images / '._x.jpg']
    assert _predict(trained, *inputs, '-o', tmp_path / 'out') == 0

    assert '2 of 2 images done' in capsys.readouterr().out


def test_unreadable_images_are_named_and_skipped(
    trained: SimpleNamespace,
    images: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    (images / 'empty.png').touch()
    (images / 'text.jpg').write_text('no image')
    cut = images / 'cut.jpg'
    cut.write_bytes((images / 'a' / 'x.jpg').read_bytes()[:2000])

    assert _predict(trained, images, '-o', tmp_path / 'out') == 1

    captured = capsys.readouterr()
    for name in ('empty.png', 'text.jpg', 'cut.jpg'):
        assert f'{images / name} is no image that can be read' in captured.err
    assert '2 of 5 images done' in captured.out
    assert {item['file_name'] for item in _records(tmp_path / 'out')} == {
        'a/x.jpg',
        'b/x.jpg',
    }


@pytest.mark.parametrize(
    ('argv', 'message'),
    [
        (['nothing*'], 'There is no image, folder or match of nothing*'),
        (['EMPTY'], 'There is no image in'),
        (
            ['IMAGES', '--batch-size', '0'],
            '--batch-size: must be at least 1, got 0',
        ),
        (['IMAGES', '--ann-file', 'no.json'], 'no.json does not exist'),
        (['IMAGES', '--ann-file', 'ANNOTATIONS'], 'The annotations do not list'),
        (['IMAGES', '--device', 'abacus'], 'device abacus cannot be used here'),
    ],
)
def test_wrong_arguments_end_in_one_sentence(
    argv: list[str],
    message: str,
    trained: SimpleNamespace,
    images: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    (tmp_path / 'empty').mkdir()
    names = {
        'EMPTY': tmp_path / 'empty',
        'IMAGES': images,
        'ANNOTATIONS': trained.scenes / 'annotations' / 'val.json',
    }
    argv = [names.get(word, word) for word in argv]

    assert _predict(trained, *argv, '-o', tmp_path / 'out') == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.skipif(torch.cuda.is_available(), reason='asks for a device not there')
def test_cuda_that_is_absent_ends_in_one_sentence(
    trained: SimpleNamespace,
    images: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    assert _predict(trained, images, '-o', tmp_path, '--device', 'cuda') == 2
    assert 'device cuda cannot be used here' in capsys.readouterr().err


def test_deep_images_are_read_as_the_config_loads_them(
    trained: SimpleNamespace, images: Path, tmp_path: Path
) -> None:
    plain = cv2.imread(str(images / 'a' / 'x.jpg'))
    # 12 of 16 bits, which mmcv's loader would read as nearly black.
    deep = np.rint(plain * (4095 / 255)).astype(np.uint16)
    (tmp_path / 'both').mkdir()
    for name, pixels in (('8.png', plain), ('12.png', deep)):
        cv2.imwrite(str(tmp_path / 'both' / name), pixels)
    loader = 'test_dataloader.dataset.pipeline.0'
    options = [f'{loader}.type=LoadDeepImageFromFile', f'{loader}.bits=12']

    argv = [tmp_path / 'both', '-o', tmp_path / 'out', '--cfg-options', *options]
    assert _predict(trained, *argv) == 0

    found = {'8.png': [], '12.png': []}
    for item in _records(tmp_path / 'out'):
        found[item['file_name']].append((item['bbox'], item['score']))
    assert found['8.png'] == found['12.png'] != []
    drawn = cv2.imread(str(tmp_path / 'out' / 'pictures' / '12.png'))
    assert drawn.mean() > plain.mean() / 2
