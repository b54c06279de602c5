"""What `m2det predict` finds, prints and writes about classes, labels and inputs."""

import errno
import io
import json
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from m2det_mmdet.apis import predict as predict_images
from m2det_mmdet.apis import prediction_run
from m2det_mmdet.cli import main, predict
from m2det_mmdet.utils.errors import M2DetError
from m2det_mmdet.utils.files import writing

Run = Callable[..., int]


@pytest.fixture
def run(
    trained: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run the command on three images, into the folder `out`."""
    shutil.copytree(trained.scenes / 'val', tmp_path / 'images')
    monkeypatch.chdir(tmp_path)

    def call(*argv: str) -> int:
        return main(['predict', trained.config, trained.checkpoint, *argv, '-o', 'out'])

    return call


def _records() -> list[dict]:
    return json.loads(Path('out/results.json').read_text())


def _labels() -> list[dict]:
    content = json.loads(Path('out/labels.json').read_text())
    names = {category['id']: category['name'] for category in content['categories']}
    return [{**x, 'name': names[x['category_id']]} for x in content['annotations']]


def test_a_checkpoint_alone_predicts(
    trained: SimpleNamespace, run: Run, capsys: pytest.CaptureFixture
) -> None:
    run('images', '--score-thr', '0.02')
    pair = _records()

    assert main(['predict', trained.checkpoint, 'images', '-o', 'alone']) == 0
    assert main(['predict', str(trained.work_dir), 'images', '-o', 'folder']) == 0

    for out in ('alone', 'folder'):
        assert json.loads(Path(out, 'results.json').read_text()) == pair


def test_classes_and_scores_choose_what_is_drawn_labelled_and_counted(
    run: Run, capsys: pytest.CaptureFixture
) -> None:
    run('images', '--score-thr', '0')
    records = _records()
    counts = {}
    for record in records:
        counts[record['category_name']] = counts.get(record['category_name'], 0) + 1
    first, second, *_ = sorted(counts, key=counts.get, reverse=True)
    scores = sorted(x['score'] for x in records if x['category_name'] == first)
    capsys.readouterr()

    argv = ['--score-thr', '0', f'{first}={scores[-1]}', '--classes', first, second]
    assert run('images', '--force', *argv) == 0

    assert {x['category_name'] for x in _records()} == {first, second}
    best = [x for x in _labels() if x['name'] == first]
    assert [x['score'] for x in best] == [x for x in scores if x == scores[-1]]
    number = len([x for x in _labels() if x['name'] == second])
    assert number == counts[second]
    line = capsys.readouterr().out.splitlines()[0]
    assert line.startswith('Found in ')
    assert line.endswith(f' of 3 images: {number} {second}, {len(best)} {first}')


def test_where_all_scores_are_lower_the_option_is_named(
    run: Run, capsys: pytest.CaptureFixture
) -> None:
    assert run('images', '--score-thr', '1') == 0

    assert capsys.readouterr().out.splitlines()[0] == (
        'Found in 0 of 3 images: nothing with so high a score (--score-thr sets the '
        'lowest)'
    )


def test_an_unknown_class_stops_before_anything_is_written(
    run: Run, capsys: pytest.CaptureFixture
) -> None:
    assert run('images', '--classes', 'dics') == 2
    assert 'no class dics: did you mean disc?' in capsys.readouterr().err
    assert not Path('out').exists()


def test_all_forms_of_labels_are_written(run: Run) -> None:
    forms = ['coco', 'yolo', 'voc', 'csv']
    assert run('images', '--format', *forms, '--score-thr', '0.02') == 0

    for name in ('labels.json', 'classes.txt', 'labels.csv'):
        assert Path('out', name).is_file()
    numbers = ('000001', '000002', '000003')
    assert {x.name for x in Path('out/labels').iterdir()} == {
        f'{x}.txt' for x in numbers
    }
    assert {x.stem for x in Path('out/Annotations').iterdir()} == {*numbers}
    lines = sum(len(x.read_text().splitlines()) for x in Path('out/labels').iterdir())
    assert lines == len(_labels()) > 0


def test_no_labels_are_written_where_none_are_asked_for(run: Run) -> None:
    assert run('images', '--format', 'none') == 0
    assert {x.name for x in Path('out').iterdir()} == {
        'results.json',
        'predict.json',
        'pictures',
    }


def test_images_without_labels_are_told(
    run: Run, capsys: pytest.CaptureFixture
) -> None:
    shutil.copy('images/000001.jpg', 'images/000001.png')
    shutil.copy('images/000001.jpg', 'images/a\nb.jpg')

    assert run('images', '--format', 'yolo') == 1

    error = capsys.readouterr().err
    assert '000001.png has no labels as yolo, for another image differs in' in error
    assert 'b.jpg has no labels, for its name is no text of one line' in error
    problems = json.loads(Path('out/predict.json').read_text())['problems']
    assert problems.keys() == {'000001.png', 'a\nb.jpg'}


def test_standard_input_lists_images(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = b'images/000002.jpg\r\n\nimages/000001.jpg\n'
    stdin = SimpleNamespace(buffer=io.BytesIO(lines))
    monkeypatch.setattr('sys.stdin', stdin)

    assert run('-', '--score-thr', '0.02') == 0

    images = json.loads(Path('out/labels.json').read_text())['images']
    assert [image['file_name'] for image in images] == ['000002.jpg', '000001.jpg']


def test_no_line_on_standard_input_is_no_prediction(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr('sys.stdin', SimpleNamespace(buffer=io.BytesIO(b'\n')))

    assert run('-') == 2
    assert 'no image: standard input names none.' in capsys.readouterr().err
    assert not Path('out').exists()


def test_annotations_choose_the_images(
    trained: SimpleNamespace, run: Run, capsys: pytest.CaptureFixture
) -> None:
    content = json.loads((trained.scenes / 'annotations' / 'val.json').read_text())
    content['images'][0]['file_name'] = 'elsewhere.jpg'
    Path('ann.json').write_text(json.dumps(content))

    assert run('images', '--ann-file', 'ann.json') == 0

    captured = capsys.readouterr()
    assert '2 of 2 images done' in captured.out
    folder = Path('images').resolve()
    for sentence in (
        f'Passed over in {folder}: 1 image that the annotations do not list.',
        'ann.json lists 1 images that are not in the inputs: elsewhere.jpg.',
    ):
        assert sentence in captured.err


def test_what_is_passed_over_is_told_and_recorded(
    run: Run, capsys: pytest.CaptureFixture
) -> None:
    for name in ('notes.txt', 'clip.mp4', '.hidden.jpg'):
        Path('images', name).touch()

    assert run('images') == 0

    told = 'Passed over in images: 2 files (1 .mp4, 1 .txt), 1 hidden.'
    assert told in capsys.readouterr().err
    record = json.loads(Path('out/predict.json').read_text())
    assert record['passed_over'] == {
        'images': {'files': ['clip.mp4', 'notes.txt'], 'hidden': ['.hidden.jpg']}
    }
    assert record['state'] == 'done'
    assert record['began'] <= record['ended']
    assert record['arguments']['score_thr'] == 0.3
    assert record['versions'].keys() >= {'torch', 'm2det'}


def test_results_are_an_empty_list_where_no_image_can_be_read(
    run: Run, capsys: pytest.CaptureFixture
) -> None:
    Path('bad.jpg').write_text('no image')

    assert run('bad.jpg') == 1

    assert _records() == _labels() == []
    assert capsys.readouterr().out == (
        '0 of 1 images done: out (results.json, labels.json)\n'
    )


def test_a_full_disk_ends_the_run_and_keeps_what_was_done(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    write = prediction_run.write_whole

    def fail(path: Path, content: Callable) -> None:
        if path.name != '000001.jpg':
            with writing(path):
                raise OSError(errno.ENOSPC, 'No space left on device')
        write(path, content)

    monkeypatch.setattr(prediction_run, 'write_whole', fail)
    assert run('images', '--score-thr', '0.02') == 2

    stopped, sentence = capsys.readouterr().err.splitlines()
    assert stopped.startswith('Stopped after 1 of 3 images: out. Go on by -o out --res')
    assert '000002.jpg cannot be written ([Errno 28] No space left' in sentence
    assert {record['file_name'] for record in _records()} == {'000001.jpg'}


def test_a_program_gets_each_prediction_without_a_growing_list(
    trained: SimpleNamespace,
) -> None:
    events = []

    result = predict_images(
        trained.checkpoint, trained.scenes / 'val', keep=False, on_event=events.append
    )

    started, *done = events
    assert (started.num_images, started.num_done, started.out) == (3, 0, None)
    assert [event.prediction.path.name for event in done] == [
        '000001.jpg',
        '000002.jpg',
        '000003.jpg',
    ]
    assert result.predictions == []
    assert result.tally.num_images == 3


def test_an_old_call_is_told_how_to_change(trained: SimpleNamespace) -> None:
    with pytest.raises(M2DetError, match=r'out must be a folder, got .*checkpoint='):
        predict_images(trained.config, trained.checkpoint, [trained.scenes / 'val'])


class _Finalised:
    def __del__(self) -> None:
        # Python drops what is raised here.
        signal.raise_signal(signal.SIGINT)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Take interrupts, which a process that was started in the background ignores."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.mark.usefixtures('interruptible')
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
def test_an_interrupt_that_python_drops_is_noticed() -> None:
    former = signal.getsignal(signal.SIGINT)
    with predict._noticed_interrupt() as check:
        check()
        _Finalised()
        with pytest.raises(KeyboardInterrupt):
            check()
    assert signal.getsignal(signal.SIGINT) is former


@pytest.mark.usefixtures('interruptible')
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
def test_a_run_ends_by_an_interrupt_that_python_drops(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = prediction_run.write_whole

    def interrupted(path: Path, content: Callable) -> None:
        write(path, content)
        _Finalised()

    monkeypatch.setattr(prediction_run, 'write_whole', interrupted)

    assert run('images') == 130
    assert {x.name for x in Path('out/pictures').iterdir()} == {'000001.jpg'}


def test_an_interrupt_that_is_ignored_stays_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with predict._noticed_interrupt() as check:
            signal.raise_signal(signal.SIGINT)
            check()
    finally:
        signal.signal(signal.SIGINT, former)


def test_a_thread_needs_no_signals() -> None:
    failed = []

    def work() -> None:
        try:
            with predict._noticed_interrupt() as check:
                check()
        except ValueError as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failed == []
