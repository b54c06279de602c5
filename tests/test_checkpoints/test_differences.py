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
        ({'meta': {'epoch': 4}}, '.meta.epoch: 3 and 4'),
        ({'meta': {'epoch': 3.0}}, '.meta.epoch: 3 and 3.0'),
        ({'state_dict': {'a': torch.tensor([-0.0, 1.0])}}, '.state_dict.a: '),
        ({'state_dict': {'a': torch.tensor([0.0, 1.0]).double()}}, '.state_dict.a: '),
        ({'state_dict': {}}, '.state_dict.a: '),
        ({'optimizer': {'param_groups': []}}, '.param_groups: 1 and 0 entries'),
        (
            {'message_hub': {'log_scalars': {'train/loss': HistoryBuffer([0.5], [1])}}},
            '.train/loss._log_history',
        ),
        ({'gradients': {'a': np.zeros(2)}}, '.gradients: '),
    ],
)
def test_a_bit_is_a_difference(changes: dict[str, Any], place: str) -> None:
    for pair in ((state(), state(**changes)), (state(**changes), state())):
        found = differences(*pair)
        assert len(found) >= 1
        assert any(place.split(': ')[0] in text for text in found)
