"""Predictions in several processes have the results of one."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from m2det_mmdet.apis import predict as predict_images
from m2det_mmdet.apis import prediction, prediction_jobs
from m2det_mmdet.cli import main
from m2det_mmdet.jobs import Ended
from m2det_mmdet.utils.errors import M2DetError

# What differs between two predictions of the same.
TIMES = ('began', 'ended')
Run = Callable[..., int]


@pytest.fixture
def run(
    trained: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Predict ten images, of which one cannot be read, in a folder of its own."""
    (tmp_path / 'images').mkdir()
    for number in range(10):
        source = trained.scenes / 'val' / f'{number % 3 + 1:06d}.jpg'
        shutil.copy(source, tmp_path / 'images' / f'{number}.jpg')
    (tmp_path / 'images' / '4.jpg').write_text('no image')
    monkeypatch.chdir(tmp_path)

    def call(*argv: str) -> int:
        command = ['predict', trained.config, trained.checkpoint, 'images']
        return main([*command, '--score-thr', '0.02', *argv])

    return call


def _content(folder: str) -> dict[str, Any]:
    """All files of a prediction, without its times."""
    found = {}
    for path in sorted(Path(folder).rglob('*')):
        if path.is_file():
            found[path.relative_to(folder).as_posix()] = path.read_bytes()
    record = json.loads(found['predict.json'])
    # As text, in which the order counts.
    found['predict.json'] = json.dumps(
        {key: value for key, value in record.items() if key not in TIMES}
    )
    return found


def _use(engine: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction, 'choose_engine', lambda *_, **__: engine)


def test_results_are_those_of_one_process_byte_for_byte(
    run: Run,
    unruly_engine: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    formats = ('--format', 'coco', 'yolo', 'voc', 'csv')
    assert run('-o', 'serial', *formats) == 1
    serial = capsys.readouterr()
    _use(unruly_engine, monkeypatch)

    assert run('-o', 'shared', *formats) == 1

    assert len(unruly_engine.dead) == 5
    content = _content('serial')
    assert _content('shared') == content
    assert len(json.loads(content['labels.json'])['annotations']) > 10
    assert len([name for name in content if name.startswith('pictures/')]) == 9
    shared = capsys.readouterr()
    assert shared.out == serial.out.replace('serial', 'shared')
    assert serial.err.strip() in shared.err
    assert 'A process died (killed by a test): another does its images.' in shared.err


def test_what_is_done_is_not_done_again_in_several_processes(
    run: Run, unruly_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run('-o', 'whole')
    engine_run, looked = unruly_engine.run, []

    def interrupted(*args: Any) -> Any:
        for number, found in enumerate(engine_run(*args)):
            yield found
            if number == 7:
                raise KeyboardInterrupt

    look_at = prediction_jobs.BuiltDetector.look_at

    def noted(detector: Any, inputs: Any, *args: Any) -> Any:
        looked.extend(image.name for image in inputs.images)
        return look_at(detector, inputs, *args)

    _use(unruly_engine, monkeypatch)
    monkeypatch.setattr(unruly_engine, 'run', interrupted)
    assert run('-o', 'out') == 130
    lines = Path('out/results.partial.jsonl').read_text().splitlines()
    done = {json.loads(line)['file_name'] for line in lines}
    assert 0 < len(done) < 9

    # In one process now, which does the rest.
    here = Path.cwd()
    monkeypatch.undo()
    monkeypatch.chdir(here)
    monkeypatch.setattr(prediction_jobs.BuiltDetector, 'look_at', noted)
    assert run('-o', 'out', '--resume') == 1

    assert _content('out') == _content('whole')


def test_a_job_that_fails_ends_the_prediction_and_keeps_what_is_done(
    run: Run,
    unruly_engine: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    engine_run = unruly_engine.run

    def failing(*args: Any) -> Any:
        for number, (job, event) in enumerate(engine_run(*args)):
            yield job, Ended('Its process died 4 times.') if number == 3 else event

    _use(unruly_engine, monkeypatch)
    monkeypatch.setattr(unruly_engine, 'run', failing)

    assert run('-o', 'out') == 2

    error = capsys.readouterr().err
    assert 'Stopped after 1 of 10 images: out. Go on by -o out --resume.' in error
    assert 'images/9.jpg, or soon after: Its process died 4 times.' in error
    results = json.loads(Path('out/results.json').read_text())
    assert {record['file_name'] for record in results} == {'8.jpg'}


def test_a_machine_that_differs_is_named(
    trained: SimpleNamespace, unruly_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(unruly_engine, monkeypatch)
    here = prediction_jobs.versions()
    look = partial(prediction_jobs.Look, versions={**here, 'mmdet': '0.1'})
    monkeypatch.setattr(prediction, 'Look', look)

    with pytest.raises(M2DetError, match=r'mmdet 3.* in the place of 0.1: install'):
        predict_images(trained.checkpoint, trained.scenes / 'val')


def test_a_machine_without_the_images_is_told(tmp_path: Path) -> None:
    image = prediction_jobs.InputImage(str(tmp_path / 'absent' / 'a.jpg'), 'a.jpg', 1)
    look = SimpleNamespace(key='k')
    prediction_jobs._built['k'] = None

    with pytest.raises(M2DetError, match=r'has no folder .*absent: all machines need'):
        list(prediction_jobs.look_at_shard(look, prediction_jobs.Shard([image], None)))


def test_a_single_gpu_is_none_for_several_jobs(
    trained: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, 'find_device', lambda name: None)

    with pytest.raises(M2DetError, match=r'cuda:1 is a single one.*: give cuda, of'):
        predict_images(
            trained.checkpoint, trained.scenes / 'val', device='cuda:1', jobs=2
        )


@pytest.mark.parametrize(
    ('count', 'batch_size', 'size', 'lengths'),
    [
        (10, 1, 2, [2, 2, 2, 2, 2]),
        (10, 4, 2, [4, 4, 2]),
        (3, 1, 8, [1, 1, 1]),
        (1000, 3, 2, [66] * 15 + [10]),
        (130, 1, None, [64, 64, 2]),
        (0, 1, 2, []),
    ],
)
def test_shards_are_whole_batches_and_enough_for_all(
    count: int, batch_size: int, size: int | None, lengths: list[int]
) -> None:
    shards = [*prediction_jobs._shards([*range(count)], batch_size, size)]

    assert [len(shard) for shard in shards] == lengths
    assert sum(shards, []) == [*range(count)]
