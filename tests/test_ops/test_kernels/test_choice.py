"""Which kernel serves which boxes, and what is particular to Triton's."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import pytest
import torch

from m2det_mmdet.ops import batched_soft_nms, kernels, multiclass_soft_nms

has_numba = find_spec('numba') is not None
has_triton = find_spec('triton') is not None


@pytest.mark.parametrize(
    ('device', 'dtype', 'installed', 'name'),
    [
        ('cpu', torch.float32, True, 'numba'),
        ('cpu', torch.float64, True, 'numba'),
        ('cuda', torch.float32, True, 'triton'),
        ('cuda:1', torch.float64, True, 'torch'),
        ('xpu', torch.float32, True, 'torch'),
        ('meta', torch.float32, True, 'torch'),
        ('cpu', torch.float32, False, 'torch'),
        ('cuda', torch.float32, False, 'torch'),
    ],
)
def test_the_device_chooses_the_kernel(
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    dtype: torch.dtype,
    installed: bool,
    name: str,
) -> None:
    monkeypatch.setattr(kernels, '_works', lambda _: installed)

    assert kernels.kernel_name(device, dtype) == name


@pytest.mark.skipif(not has_numba, reason='numba is not installed')
def test_boxes_on_the_cpu_are_served_by_numba() -> None:
    kernel = kernels.kernel(torch.device('cpu'), torch.float32)

    assert kernel is import_module('m2det_mmdet.ops.kernels.picks_numba')


@pytest.mark.parametrize('kernel', ['triton'], indirect=True)
@pytest.mark.parametrize('count', [3, 16, 17, 37])
def test_classes_longer_than_a_block(
    kernel: str,
    call: object,
    monkeypatch: pytest.MonkeyPatch,
    reference: ModuleType,
    count: int,
) -> None:
    module = import_module('m2det_mmdet.ops.kernels.picks_triton')
    monkeypatch.setattr(module, '_BLOCK', 16)
    generator = torch.Generator().manual_seed(count)
    boxes = torch.rand(count, 4, generator=generator) * 50
    boxes[:, 2:] += boxes[:, :2]
    # The best ones come last, two of them alike.
    scores = torch.arange(count) / count
    scores[-2] = scores[-1]
    labels = torch.zeros(count, dtype=torch.long)
    traces = reference.soft_nms_loop(boxes.numpy(), scores.numpy(), labels.numpy())
    expected, decayed = reference.merge(traces)

    dets, keep = call(batched_soft_nms, boxes, scores, labels)
    assert keep.tolist() == expected
    difference = dets[:, 4] - torch.tensor(decayed)
    assert difference.abs().max() <= 1e-6
    few, _, rows = call(
        multiclass_soft_nms, boxes[None], scores[None, :, None], max_num=len(expected)
    )
    assert rows[0].tolist() == expected
    assert torch.equal(few[0], dets)


def test_torch_needs_no_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, '_works', lambda _: False)
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 20]])
    scores = torch.tensor([0.9, 0.8])
    dets, _ = batched_soft_nms(boxes, scores, torch.zeros(2).long())

    torch.testing.assert_close(dets[:, 4], torch.tensor([0.9, 0.4]))


@pytest.mark.skipif(not has_numba, reason='numba is not installed')
def test_a_compiler_that_cannot_be_imported_is_told_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(name: str, package: str) -> None:
        raise SystemError('Numba needs another NumPy.')

    monkeypatch.setattr(kernels, 'import_module', fail)
    kernels._works.cache_clear()
    try:
        names = [kernels.kernel_name('cpu') for _ in range(2)]
    finally:
        kernels._works.cache_clear()

    assert names == ['torch', 'torch']
    (message,) = (record.getMessage() for record in caplog.records)
    assert 'numba cannot be used: Numba needs another NumPy.' in message


@pytest.mark.skipif(not has_triton, reason='Triton is not installed')
def test_triton_without_a_c_compiler_is_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kernels.shutil, 'which', lambda _: None)
    kernels._works.cache_clear()
    try:
        name = kernels.kernel_name('cuda')
    finally:
        kernels._works.cache_clear()

    assert name == 'torch'
    assert 'there is no gcc or clang: install one' in caplog.text


@pytest.mark.skipif(not has_numba, reason='numba is not installed')
@pytest.mark.parametrize('error', [OSError('the disk is full'), EOFError()])
def test_loops_that_cannot_be_kept_are_compiled_for_the_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    module = import_module('m2det_mmdet.ops.kernels.picks_numba')
    for name in ('_pick_batch', '_pick', '_gather', '_first', '_weaken'):
        function = getattr(module, name)
        monkeypatch.setattr(function, '_cache', function._cache)
    compiled, calls = module._pick_batch, []

    def fail_once(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 1:
            raise error
        compiled(*arguments)

    fail_once._cache = None
    monkeypatch.setattr(module, '_pick_batch', fail_once)
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 20]])
    dets, _ = batched_soft_nms(boxes, torch.tensor([0.9, 0.8]), torch.zeros(2).long())

    torch.testing.assert_close(dets[:, 4], torch.tensor([0.9, 0.4]))
    assert 'cannot be kept on disk or read from there' in caplog.text
    assert type(module._weaken._cache).__name__ == 'NullCache'
