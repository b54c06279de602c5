import pytest
import torch
from mmengine.device import get_device, utils

from m2det_mmdet.compat.device import training_on


def test_a_runner_computes_on_the_given_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utils, 'DEVICE', 'cuda')
    with training_on(torch.device('cpu')):
        assert get_device() == 'cpu'
    assert get_device() == 'cuda'
    with training_on(None):
        assert get_device() == 'cuda'
