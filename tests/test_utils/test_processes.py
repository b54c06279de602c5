import pytest

from m2det_mmdet.utils.errors import M2DetError
from m2det_mmdet.utils.processes import (
    among_processes,
    any_restarted,
    rank_of_error,
    wait_for_all,
)


def test_one_process_waits_for_nobody() -> None:
    wait_for_all()

    with pytest.raises(RuntimeError, match='timed out'), among_processes():
        raise RuntimeError('timed out')


def test_of_the_same_error_one_process_of_a_machine_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert rank_of_error(M2DetError('No data.')) == ''

    monkeypatch.setenv('LOCAL_RANK', '1')

    assert rank_of_error(M2DetError('No data.')) is None
    # Nobody knows whether the others meet this one.
    assert rank_of_error(ValueError('3')) == ''


@pytest.mark.parametrize(('count', 'restarted'), [('0', False), ('1', True)])
def test_a_restart_is_known(
    count: str, restarted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('TORCHELASTIC_RESTART_COUNT', count)

    assert any_restarted() is restarted
