"""Two checkpoints are compared to the last bit."""

from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from m2det_mmdet.checkpoints.differences import differences


def state(**changes: Any) -> dict[str, Any]:
    history = HistoryBuffer([0.5, float('nan')], [1, 1])
    return {
        'meta': {'epoch': 3, 'time': 'now'},
        'state_dict': {'a': torch.tensor([0.0, 1.0])},
        'optimizer': {'param_groups': [{'lr': 0.1, 'params': [0]}]},
        'message_hub': {'log_scalars': {'train/loss': history}},
        **changes,
    }


def test_a_state_is_equal_to_its_copy() -> None:
    assert differences(state(), state()) == []
    assert differences(state(), state(meta={'epoch': 3, 'time': 'later'})) == []


@pytest.mark.parametrize(
    ('changes', 'place'),
    [
        ({'meta': {'epoch': 4}}, '.meta.epoch: '),
        ({'meta': {'epoch': 3.0}}, '.meta.epoch: '),
        ({'state_dict': {'a': torch.tensor([-0.0, 1.0])}}, '.state_dict.a: '),
        ({'state_dict': {'a': torch.tensor([0.0, 1.0]).double()}}, '.state_dict.a: '),
        ({'state_dict': {}}, '.state_dict.a: '),
        ({'optimizer': {'param_groups': []}}, '.optimizer.param_groups: '),
        (
            {'message_hub': {'log_scalars': {'train/loss': HistoryBuffer([0.5], [1])}}},
            '.message_hub.log_scalars.train/loss._log_history: ',
        ),
        ({'gradients': {'a': np.zeros(2)}}, '.gradients: '),
    ],
)
def test_a_bit_is_a_difference(changes: dict[str, Any], place: str) -> None:
    for pair in ((state(), state(**changes)), (state(**changes), state())):
        found = differences(*pair)
        assert found
        assert found[0].startswith(place)


def test_a_difference_names_both_values() -> None:
    other = state(meta={'epoch': 4})

    assert differences(state(), other) == ['.meta.epoch: 3 and 4']
