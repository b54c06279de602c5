import json
import os
import signal
from pathlib import Path

import pytest

from m2det_mmdet.evaluation.results_file import ResultsFile
from m2det_mmdet.utils.errors import M2DetError

ONE = {'image_id': 1, 'bbox': [1.5, 2, 3, 4], 'score': 0.5}
TWO = {'image_id': 2, 'file_name': 'ü, [x].jpg'}


@pytest.fixture
def results(tmp_path: Path) -> ResultsFile:
    return ResultsFile(tmp_path / 'results.json')


def test_each_image_is_on_disk_before_the_next(results: ResultsFile) -> None:
    with results:
        results.add([ONE, ONE])
        assert not results.path.exists()
        lines = results.partial.read_text().splitlines()
        assert [json.loads(line) for line in lines] == [[ONE, ONE]]
        results.add([])
        results.add([TWO])

    assert json.loads(results.path.read_text()) == [ONE, ONE, TWO]
    assert os.listdir(results.path.parent) == ['results.json']


def test_results_without_a_record_are_an_empty_list(results: ResultsFile) -> None:
    with results:
        results.add([])

    assert json.loads(results.path.read_text()) == []


def _add_and_raise(results: ResultsFile, error: type[BaseException]) -> None:
    with results:
        results.add([ONE])
        raise error


@pytest.mark.parametrize('error', [KeyboardInterrupt, M2DetError])
def test_an_error_keeps_what_was_done(
    results: ResultsFile, error: type[BaseException]
) -> None:
    results.path.write_text('old')
    with pytest.raises(error):
        _add_and_raise(results, error)

    assert json.loads(results.path.read_text()) == [ONE]
    assert os.listdir(results.path.parent) == ['results.json']


def test_an_error_before_the_first_image_keeps_older_results(
    results: ResultsFile,
) -> None:
    results.path.write_text('old')
    with pytest.raises(M2DetError), results:
        raise M2DetError

    assert results.path.read_text() == 'old'
    assert os.listdir(results.path.parent) == ['results.json']


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs processes that fork')
@pytest.mark.filterwarnings('ignore:.*fork:DeprecationWarning')
def test_a_process_that_is_killed_leaves_the_lines(results: ResultsFile) -> None:
    results.path.write_text('[]')
    child = os.fork()
    if not child:
        with results:
            results.add([ONE])
            os.kill(os.getpid(), signal.SIGKILL)
    _, status = os.waitpid(child, 0)

    assert os.WTERMSIG(status) == signal.SIGKILL
    assert results.path.read_text() == '[]'
    # As docs/prediction.md says.
    lines = results.partial.read_text().splitlines()
    assert [record for line in lines for record in json.loads(line)] == [ONE]
    with pytest.raises(M2DetError, match=r'partial\.jsonl exists: .* or --force'):
        results.check(force=False)
    results.check(force=True)


def test_a_line_that_was_cut_is_left_out(results: ResultsFile) -> None:
    with results:
        results.add([ONE])
        results._lines.write(b'[{"image_id"')

    assert json.loads(results.path.read_text()) == [ONE]


def test_numbers_that_json_lacks_are_not_written(results: ResultsFile) -> None:
    with results, pytest.raises(ValueError, match='not JSON compliant'):
        results.add([{'score': float('nan')}])

    assert json.loads(results.path.read_text()) == []


def test_older_results_are_replaced_with_force_alone(results: ResultsFile) -> None:
    results.check(force=False)
    results.path.write_text('old')

    with pytest.raises(M2DetError, match=r'results\.json exists: .* --force'):
        results.check(force=False)
    results.check(force=True)
    assert results.path.read_text() == 'old'
