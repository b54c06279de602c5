"""Which kernel serves which boxes, and what is particular to Triton's."""

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

import pytest
import torch

from m2det_mmdet.ops import batched_soft_nms, kernels, multiclass_soft_nms

has_numba = find_spec('numba') is not None
has_triton = find_spec('triton') is not None

# The overlap is 100 / 200 = 0.5.
BOXES = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 20]])
SCORES = torch.tensor([0.9, 0.8])
LABELS = torch.zeros(2).long()
WEAKENED = torch.tensor([0.9, 0.4])


@pytest.fixture(autouse=True)
def know_no_failure(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin and end as a process that has tried no kernel."""
    monkeypatch.setattr(kernels, '_failed', set())
    kernels._can_be_imported.cache_clear()
    yield
    kernels._can_be_imported.cache_clear()


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
def test_boxes_on_the_cpu_are_served_by_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module('m2det_mmdet.ops.kernels.picks_numba')
    result = torch.tensor([[0.75]]), torch.tensor([[1]])
    monkeypatch.setattr(module, 'picks', lambda *arguments: result)

    dets, keep = batched_soft_nms(BOXES, SCORES, LABELS)

    assert dets.tolist() == [[0, 0, 10, 20, 0.75]]
    assert keep.tolist() == [1]


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
    dets, _ = batched_soft_nms(BOXES, SCORES, LABELS)

    torch.testing.assert_close(dets[:, 4], WEAKENED)


@pytest.mark.skipif(not has_numba, reason='numba is not installed')
def test_a_compiler_that_cannot_be_imported_is_told_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(name: str, package: str) -> None:
        raise SystemError('Numba needs another NumPy.')

    monkeypatch.setattr(kernels, 'import_module', fail)
    names = [kernels.kernel_name('cpu') for _ in range(2)]

    assert names == ['torch', 'torch']
    (message,) = (record.getMessage() for record in caplog.records)
    assert 'numba cannot be used: SystemError: Numba needs another NumPy.' in message


@pytest.mark.skipif(not has_triton, reason='Triton is not installed')
def test_triton_without_a_c_compiler_is_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kernels.shutil, 'which', lambda _: None)

    assert kernels.kernel_name('cuda') == 'torch'
    assert 'there is no gcc or clang: install one' in caplog.text


class CompilationError(Exception):
    """As Triton's: the source, then the message."""

    error_message = 'operation not supported'

    def __str__(self) -> str:
        return 'at 3:7:\n    top = tl.max(score)\n    ^\noperation not supported'


def triton_that_raises(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> list[object]:
    """Put a kernel that fails in the place of Triton's, and let it serve the CPU.

    Returns:
        An entry for each call of it.
    """
    calls = []

    def fail(*arguments: object) -> None:
        calls.append(arguments)
        raise error

    module = ModuleType('m2det_mmdet.ops.kernels.picks_triton')
    module.picks = module.dense_picks = fail
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(kernels, 'find_spec', lambda name: ModuleSpec(name, None))
    monkeypatch.setattr(kernels.shutil, 'which', lambda name: f'/usr/bin/{name}')
    name_of = kernels.kernel_name
    monkeypatch.setattr(
        kernels, 'kernel_name', lambda device, dtype: name_of('cuda', dtype)
    )
    return calls


@pytest.mark.parametrize(
    ('error', 'told'),
    [
        (CompilationError(), 'CompilationError: operation not supported.'),
        (RuntimeError('no device code'), 'RuntimeError: no device code.'),
        (FileNotFoundError(2, 'No such file', 'gcc'), "No such file: 'gcc'."),
        (
            torch.AcceleratorError('CUDA error: no kernel image\nCompile with x'),
            'CUDA error: no kernel image.',
        ),
    ],
    ids=['compilation', 'driver', 'no gcc', 'unsupported GPU'],
)
def test_a_kernel_that_does_not_run_is_tried_once(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    told: str,
) -> None:
    calls = triton_that_raises(monkeypatch, error)

    for _ in range(3):
        dets, keep = batched_soft_nms(BOXES, SCORES, LABELS)
        torch.testing.assert_close(dets[:, 4], WEAKENED)
        assert keep.tolist() == [0, 1]

    assert len(calls) == 1
    (message,) = (record.getMessage() for record in caplog.records)
    assert message.startswith('Soft-NMS runs in plain PyTorch, because triton cannot')
    assert message.endswith(told)


def test_boxes_that_all_classes_share_do_without_the_kernel_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls = triton_that_raises(monkeypatch, RuntimeError('no device code'))

    for _ in range(2):
        dets, labels, rows = multiclass_soft_nms(
            BOXES[None], SCORES[None, :, None], max_num=2
        )
        torch.testing.assert_close(dets[0, :, 4], WEAKENED)
        assert labels.tolist() == [[0, 0]]
        assert rows.tolist() == [[0, 1]]

    # The kernel of all classes, and that of the scores above the threshold.
    assert len(calls) == 2
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    'error',
    [
        torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2 GiB.'),
        MemoryError('Allocation failed'),
        RuntimeError('Triton Error [CUDA]: out of memory'),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_a_kernel_without_memory_is_not_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    calls = triton_that_raises(monkeypatch, error)

    for _ in range(2):
        with pytest.raises(type(error), match=re.escape(str(error))):
            batched_soft_nms(BOXES, SCORES, LABELS)

    assert len(calls) == 2
    assert not caplog.records


def test_what_pytorch_cannot_do_either_is_no_fault_of_the_kernel(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # A CUDA error of an earlier kernel comes at any later call.
    error = RuntimeError('CUDA error: device-side assert triggered')
    calls = triton_that_raises(monkeypatch, error)

    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(kernels.picks_torch, 'picks', fail)
    for _ in range(2):
        with pytest.raises(RuntimeError, match='device-side assert'):
            batched_soft_nms(BOXES, SCORES, LABELS)

    assert len(calls) == 2
    assert not caplog.records


@pytest.fixture
def loops(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The loops of numba, which get their files on disk back after the test."""
    if not has_numba:
        pytest.skip('numba is not installed')
    module = import_module('m2det_mmdet.ops.kernels.picks_numba')
    for name in ('_pick_batch', '_pick', '_gather', '_first', '_weaken'):
        function = getattr(module, name)
        monkeypatch.setattr(function, '_cache', function._cache)
    return module


@pytest.mark.parametrize(
    'error', [OSError('the disk is full'), EOFError(), ValueError('no such opcode')]
)
def test_loops_that_cannot_be_kept_are_compiled_for_the_process(
    loops: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    compiled, calls = loops._pick_batch, []

    def fail_once(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 1:
            raise error
        compiled(*arguments)

    fail_once._cache = None
    monkeypatch.setattr(loops, '_pick_batch', fail_once)
    dets, _ = batched_soft_nms(BOXES, SCORES, LABELS)

    torch.testing.assert_close(dets[:, 4], WEAKENED)
    assert 'cannot be kept on disk or read from there' in caplog.text
    assert type(loops._weaken._cache).__name__ == 'NullCache'
    assert kernels.kernel_name('cpu') == 'numba'


def test_loops_that_numba_cannot_compile_are_given_up(
    loops: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    errors = import_module('numba.core.errors')
    calls = []

    def fail(*arguments: object) -> None:
        calls.append(arguments)
        raise errors.LoweringError('no such instruction')

    monkeypatch.setattr(loops, '_pick_batch', fail)
    for _ in range(2):
        dets, _ = batched_soft_nms(BOXES, SCORES, LABELS)
        torch.testing.assert_close(dets[:, 4], WEAKENED)

    assert len(calls) == 1
    (message,) = (record.getMessage() for record in caplog.records)
    assert 'numba cannot be used: LoweringError: no such instruction' in message
    # Its files are not to blame.
    assert type(loops._weaken._cache).__name__ != 'NullCache'
