"""Where predictions go, and what happens to earlier ones."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from m2det_mmdet.apis import detection
from m2det_mmdet.apis.prediction_places import locked
from m2det_mmdet.apis.prediction_record import read_record
from m2det_mmdet.cli import main
from m2det_mmdet.utils.images import read_images


@pytest.fixture
def predict(
    trained: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """Run the command on three images, in a folder of its own."""
    shutil.copytree(trained.scenes / 'val', tmp_path / 'images')
    monkeypatch.chdir(tmp_path)

    def run(*argv: str) -> int:
        command = ['predict', trained.config, trained.checkpoint, 'images']
        return main([*command, '--score-thr', '0.02', *argv])

    return run


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Interrupt the next run before its second image is read."""

    def patch() -> None:
        def one(paths: object, read: object) -> object:
            yield next(read_images(paths, read))
            monkeypatch.setattr(detection, 'read_images', read_images)
            raise KeyboardInterrupt

        monkeypatch.setattr(detection, 'read_images', one)

    return patch


def _files(folder: str) -> set[str]:
    found = Path(folder).rglob('*')
    return {path.relative_to(folder).as_posix() for path in found if path.is_file()}


def _names(folder: str) -> set[str]:
    return {
        x['file_name'] for x in json.loads(Path(folder, 'results.json').read_text())
    }


ALL = {'000001.jpg', '000002.jpg', '000003.jpg'}
WHOLE = {
    'results.json',
    'labels.json',
    'predict.json',
    *(f'pictures/{name}' for name in ALL),
}


def test_each_run_has_a_folder_of_its_own(
    predict: Callable[..., int], capsys: pytest.CaptureFixture
) -> None:
    assert predict() == predict() == 0

    assert _files('work_dirs/predict') == _files('work_dirs/predict-2') == WHOLE
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == (
        '3 of 3 images done: work_dirs/predict-2 (results.json, labels.json, pictures/)'
    )


def test_a_run_that_fails_leaves_no_folder(predict: Callable[..., int]) -> None:
    assert predict('--classes', 'unknown') == 2
    assert predict('--classes', 'unknown', '-o', 'new/out') == 2

    assert not Path('work_dirs').exists()
    assert not Path('new').exists()


def test_an_earlier_prediction_is_replaced_with_force_alone(
    predict: Callable[..., int], capsys: pytest.CaptureFixture
) -> None:
    predict('-o', 'out', '--format', 'yolo', 'csv')
    for name in ('pictures/mine.jpg', 'labels/mine.txt', 'mine.txt'):
        Path('out', name).write_text('mine')
    os.unlink('images/000003.jpg')

    assert predict('-o', 'out') == 2
    assert 'out holds the prediction of 3 images: give' in capsys.readouterr().err
    assert predict('-o', 'out', '--force') == 0

    mine = {'pictures/mine.jpg', 'labels/mine.txt', 'mine.txt'}
    assert _files('out') == WHOLE - {'pictures/000003.jpg'} | mine
    assert _names('out') <= ALL - {'000003.jpg'}


def test_what_is_half_removed_is_not_complete(
    predict: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    predict('-o', 'out')
    with monkeypatch.context() as patch:
        patch.setattr(Path, 'rmdir', Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            read_record(Path('out')).remove_files()
    assert not Path('out/results.json').exists()

    assert predict('-o', 'out') == 2
    assert 'out ended early: 0 of 3 images are done' in capsys.readouterr().err
    assert predict('-o', 'out', '--resume') == 0
    assert _files('out') == WHOLE


def test_labels_of_others_are_never_replaced(
    predict: Callable[..., int], capsys: pytest.CaptureFixture
) -> None:
    Path('images/labels').mkdir()
    truth = Path('images/labels/000001.txt')
    truth.write_text('0 0.5 0.5 0.1 0.1\n')

    for force in ([], ['--force']):
        assert predict('-o', 'images', '--format', 'yolo', *force) == 2
        assert 'is not of an earlier prediction' in capsys.readouterr().err
    assert truth.read_text() == '0 0.5 0.5 0.1 0.1\n'
    assert _files('images') == ALL | {'labels/000001.txt'}


def test_a_record_leads_to_nothing_outside_its_folder(
    predict: Callable[..., int],
) -> None:
    predict('-o', 'out')
    record = Path('out/predict.json')
    content = json.loads(record.read_text())
    Path('out/link').symlink_to('../images')
    content['files'] += ['../images/000001.jpg', 'link/000002.jpg', '/etc/passwd']
    content['files'] += [str(Path('images/000003.jpg').resolve())]
    record.write_text(json.dumps(content, indent=1))

    assert predict('-o', 'out', '--force') == 0

    assert {path.name for path in Path('images').iterdir()} == ALL


def test_a_record_that_was_changed_stops(
    predict: Callable[..., int], capsys: pytest.CaptureFixture
) -> None:
    predict('-o', 'out')
    record = Path('out/predict.json')
    record.write_text(record.read_text()[:100])

    assert predict('-o', 'out', '--force') == 2
    assert 'was changed: give another output folder' in capsys.readouterr().err


def test_an_interrupted_run_goes_on(
    predict: Callable[..., int],
    interrupt: Callable[[], None],
    capsys: pytest.CaptureFixture,
) -> None:
    predict('-o', 'whole')
    interrupt()
    assert predict('-o', 'out') == 130
    assert _names('out') == {'000001.jpg'}
    first = os.stat('out/pictures/000001.jpg').st_mtime_ns
    capsys.readouterr()

    assert predict('-o', 'out') == 2
    error = capsys.readouterr().err
    assert 'out ended early: 1 of 3 images are done' in error
    assert '-o out --resume' in error
    assert predict('-o', 'out', '--resume') == 0

    assert '3 of 3 images done: out' in capsys.readouterr().out
    assert _files('out') == WHOLE
    for name in ('results.json', 'labels.json'):
        assert Path('out', name).read_bytes() == Path('whole', name).read_bytes()
    assert os.stat('out/pictures/000001.jpg').st_mtime_ns == first
    assert predict('-o', 'out', '--resume') == 2
    assert 'out is complete' in capsys.readouterr().err


def test_another_prediction_does_not_go_on(
    predict: Callable[..., int],
    interrupt: Callable[[], None],
    capsys: pytest.CaptureFixture,
) -> None:
    interrupt()
    predict('-o', 'out')

    assert predict('-o', 'out', '--resume', '--classes', 'disc') == 2
    assert "for classes was None and is ['disc']" in capsys.readouterr().err
    os.unlink('images/000003.jpg')
    assert predict('-o', 'out', '--resume') == 2
    assert 'for images was' in capsys.readouterr().err


def test_a_default_folder_that_ended_early_is_told(
    predict: Callable[..., int],
    interrupt: Callable[[], None],
    capsys: pytest.CaptureFixture,
) -> None:
    interrupt()
    predict()
    capsys.readouterr()

    assert predict() == 0
    error = capsys.readouterr().err
    assert 'work_dirs/predict ended early: 1 of 3 images' in error
    assert 'This one goes to work_dirs/predict-2.' in error
    assert _names('work_dirs/predict') == {'000001.jpg'}

    shutil.rmtree('work_dirs/predict-2')
    assert predict('--resume') == 0
    assert _files('work_dirs/predict') == WHOLE


def test_two_runs_do_not_share_a_folder(
    predict: Callable[..., int], capsys: pytest.CaptureFixture
) -> None:
    Path('out').mkdir()
    with locked(Path('out')):
        assert predict('-o', 'out', '--force') == 2

    assert 'Another prediction is written to out now' in capsys.readouterr().err
    assert _files('out') == set()


def test_pictures_of_earlier_runs_are_no_images(
    predict: Callable[..., int], capsys: pytest.CaptureFixture
) -> None:
    predict('-o', 'images/one')
    capsys.readouterr()

    assert predict('-o', 'images/two') == 0

    captured = capsys.readouterr()
    assert '3 of 3 images done' in captured.out
    assert (
        'Passed over in images: 3 files (3 .json), 1 folder of drawn pictures.'
        in captured.err
    )


@pytest.mark.parametrize('word', ['--resume', '--force'])
def test_what_a_killed_run_was_writing_is_removed(
    predict: Callable[..., int], interrupt: Callable[[], None], word: str
) -> None:
    interrupt()
    assert predict('-o', 'out') == 130
    # No process has so high a number.
    end = f'{2**40}.0123abcd.partial'
    for name in ('pictures/.000002.jpg', '.predict.json', 'pictures/.mine.jpg'):
        Path('out', f'{name}.{end}').touch()

    assert predict('-o', 'out', word) == 0

    assert _files('out') == WHOLE | {f'pictures/.mine.jpg.{end}'}
