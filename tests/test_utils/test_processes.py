import pytest

from m2det_mmdet.utils.processes import (
    among_processes,
    any_restarted,
    wait_for_all,
)


def test_one_process_waits_for_nobody() -> None:
    wait_for_all()

    with pytest.raises(RuntimeError, match='timed out'), among_processes():
        raise RuntimeError('timed out')


@pytest.mark.parametrize(('count', 'restarted'), [('0', False), ('1', True)])
def test_a_restart_is_known(
    count: str, restarted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('TORCHELASTIC_RESTART_COUNT', count)

    assert any_restarted() is restarted
