import json
import os
import signal
from pathlib import Path

import pytest

from m2det_mmdet.evaluation.prediction_log import PredictionLog
from m2det_mmdet.evaluation.results_file import write_results
from m2det_mmdet.utils.errors import M2DetError

ONE = {'image_id': 1, 'bbox': [1.5, 2, 3, 4], 'score': 0.5}
TWO = {'image_id': 2, 'file_name': 'ü, [x].jpg'}
ENTRY = {'file_name': 'a.jpg', 'records': [ONE, ONE]}
EMPTY = {'file_name': 'b.jpg', 'records': []}
OTHER = {'file_name': 'ü, [x].jpg', 'records': [TWO]}


@pytest.fixture
def log(tmp_path: Path) -> PredictionLog:
    return PredictionLog(tmp_path / 'out' / 'log.jsonl')


def test_each_image_is_on_disk_before_the_next(log: PredictionLog) -> None:
    log.open()
    log.add(ENTRY)

    assert [json.loads(line) for line in log.path.read_text().splitlines()] == [ENTRY]
    log.add(EMPTY)
    assert list(log.entries()) == [ENTRY, EMPTY]
    assert log.count() == 2
    log.close()


def test_a_log_goes_on_behind_its_last_whole_line(log: PredictionLog) -> None:
    log.path.parent.mkdir()
    log.path.write_text(f'{json.dumps(ENTRY)}\n{{"file_name": "b')

    assert list(log.entries()) == [ENTRY]
    log.open()
    log.add(OTHER)
    log.close()

    assert list(log.entries()) == [ENTRY, OTHER]


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs processes that fork')
@pytest.mark.filterwarnings('ignore:.*fork:DeprecationWarning')
def test_a_process_that_is_killed_leaves_the_lines(log: PredictionLog) -> None:
    child = os.fork()
    if not child:
        log.open()
        log.add(ENTRY)
        os.kill(os.getpid(), signal.SIGKILL)
    _, status = os.waitpid(child, 0)

    assert os.WTERMSIG(status) == signal.SIGKILL
    assert list(log.entries()) == [ENTRY]


def test_numbers_that_json_lacks_are_not_written(log: PredictionLog) -> None:
    log.open()
    with pytest.raises(ValueError, match='not JSON compliant'):
        log.add({'score': float('nan')})
    log.close()

    assert log.count() == 0


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()

    with pytest.raises(M2DetError, match=r'log\.jsonl cannot be written'):
        PredictionLog(tmp_path / 'file' / 'log.jsonl').open()


@pytest.mark.parametrize(
    ('entries', 'records'),
    [([ENTRY, EMPTY, OTHER], [ONE, ONE, TWO]), ([EMPTY], []), ([], [])],
)
def test_results_are_one_list(
    entries: list[dict], records: list[dict], tmp_path: Path
) -> None:
    write_results(tmp_path / 'results.json', iter(entries))

    assert json.loads((tmp_path / 'results.json').read_text()) == records
    assert os.listdir(tmp_path) == ['results.json']
