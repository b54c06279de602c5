import pytest
import torch

from m2det_mmdet.utils.devices import find_device
from m2det_mmdet.utils.errors import M2DetError


def test_a_device_is_found_by_name_and_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr('m2det_mmdet.utils.devices.get_device', lambda: 'meta')

    assert find_device('cpu') == torch.device('cpu')
    assert find_device(None) == torch.device('meta')


def test_an_unknown_device_ends_in_one_sentence() -> None:
    with pytest.raises(M2DetError, match=r'device abacus cannot be used here .*: take'):
        find_device('abacus')


@pytest.mark.skipif(torch.cuda.is_available(), reason='asks for a device not there')
def test_cuda_that_is_absent_ends_in_one_sentence() -> None:
    with pytest.raises(M2DetError, match='device cuda cannot be used here'):
        find_device('cuda')
