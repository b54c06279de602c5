from collections import OrderedDict
from typing import Any

import pytest
import torch

from m2det_mmdet.utils.texts import one_line, shown


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        (None, 'None'),
        (1.5, '1.5'),
        ('a\nb', r"'a\nb'"),
        ([[[1]], {'a': 2}], "[[[...]], {'a': 2}]"),
        # Longer than Python writes.
        ([16**5000], '[a number of more than 30 digits]'),
        (torch.zeros(9, 9), 'one Tensor'),
        (OrderedDict(a=1), 'one OrderedDict'),
    ],
)
def test_values_are_shown_on_one_line(value: Any, text: str) -> None:
    assert shown(value) == text


def test_long_values_are_cut() -> None:
    assert len(shown([['x' * 100] * 9] * 9)) < 300
    assert len(shown('x' * 100)) == 60


def test_a_text_is_cut_where_it_is_long_also_within_a_word() -> None:
    assert one_line('one \n two\x00') == 'one two\N{REPLACEMENT CHARACTER}'
    assert one_line('x' * 10, 4) == 'xxxx...'
