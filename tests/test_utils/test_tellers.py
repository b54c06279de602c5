"""Of several processes that meet the same error one tells of it."""

import pytest

from m2det_mmdet.utils.errors import M2DetError
from m2det_mmdet.utils.tellers import name_teller, rank_of_error


def test_of_the_same_error_one_process_of_a_machine_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert rank_of_error(M2DetError('No data.')) == ''

    monkeypatch.setenv('LOCAL_RANK', '1')

    assert rank_of_error(M2DetError('No data.')) is None
    # Nobody knows whether the others meet this one.
    assert rank_of_error(ValueError('3')) == ''


@pytest.mark.parametrize('teller', ['rank 1', None])
def test_who_is_named_tells(teller: str | None) -> None:
    error = ValueError('3')

    name_teller(error, teller)

    assert rank_of_error(error) == teller
