from typing import Any

import numpy as np
import pytest

from m2det_mmdet.utils.values import is_count, is_number


@pytest.mark.parametrize('value', [0, 7, np.int64(7)])
def test_counts(value: Any) -> None:
    assert is_count(value)
    assert is_number(value)


@pytest.mark.parametrize('value', [-1, 0.5, np.float32(0.5)])
def test_numbers_that_are_no_counts(value: Any) -> None:
    assert not is_count(value)
    assert is_number(value)


@pytest.mark.parametrize(
    'value', [True, None, '1', [1], 1j, float('nan'), float('inf'), 10**400]
)
def test_what_is_no_number(value: Any) -> None:
    assert not is_count(value)
    assert not is_number(value)
