"""Operators and devices that fail, or give something wrong, are found."""

from types import SimpleNamespace

import mmcv.ops
import numpy as np
import pytest
import torch

from m2det_mmdet.diagnosis import State, detector, devices, operators
from m2det_mmdet.ops.kernels import picks_torch

numba = pytest.importorskip('numba')
OK, NOTE, PROBLEM, STOP = State


def test_the_operators_of_pytorch_are_compared_with_known_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (sound,) = operators.check_portable()
    monkeypatch.setattr(operators, '_SOFT', ([0, 2, 1], (0.9, 0.7, 0.5)))
    (wrong,) = operators.check_portable()

    assert sound.state == OK
    assert wrong.state == STOP
    # 0.8 * (1 - 0.5).
    assert 'rows [0, 2, 1], scores [0.8999999761581421, 0.69' in wrong.found


def test_numba_is_compared_with_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    from m2det_mmdet.ops.kernels import picks_numba

    (sound,) = operators.check_numba()

    def wrong(*arguments: object) -> tuple[torch.Tensor, torch.Tensor]:
        best, rows = picks_torch.picks(*arguments)
        return best + (1e-3 if arguments[3].method == 'linear' else 0), rows

    monkeypatch.setattr(picks_numba, 'picks', wrong)
    (found,) = operators.check_numba()

    assert sound.state == OK
    assert found.state == PROBLEM
    assert found.found == 'gives other boxes than PyTorch on the CPU (linear)'


def test_a_kernel_that_fails_is_told_with_its_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from m2det_mmdet.ops.kernels import picks_numba

    def fail(*_: object) -> None:
        raise RuntimeError('no compiler\nadvice')

    monkeypatch.setattr(picks_numba, 'picks', fail)

    (found,) = operators.check_numba()

    assert found.found == 'fails on the CPU: RuntimeError: no compiler'
    assert found.fix == '`pip install --upgrade --force-reinstall numba`'


def test_an_absent_compiler_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators, 'find_spec', lambda name: None)

    for check in (
        operators.check_numba,
        operators.check_triton,
        operators.check_compiled,
    ):
        (found,) = check()
        assert (found.state, found.fix) == (NOTE, '')


def test_loops_that_are_not_compiled_are_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('NUMBA_DISABLE_JIT', '1')

    (found,) = operators.check_numba()

    assert (found.state, found.fix) == (PROBLEM, '`unset NUMBA_DISABLE_JIT`')


def test_the_operators_of_mmcv_are_compared() -> None:
    sound = operators.compare_with(mmcv.ops)
    # Without the last box that each of them keeps.
    lossy = SimpleNamespace(
        soft_nms=mmcv.ops.soft_nms,
        nms=lambda *args: [x[:-1] for x in mmcv.ops.nms(*args)],
    )
    wrong = operators.compare_with(lossy)

    assert sound.state == OK
    assert (wrong.state, wrong.found) == (PROBLEM, 'gives other boxes than PyTorch')
    assert 'onedl-mmcv' in wrong.fix


def test_compiled_operators_that_do_not_fit_are_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ImportError('undefined symbol: _ZN3c10')

    monkeypatch.setattr(operators, 'find_spec', lambda name: SimpleNamespace(loader=1))
    monkeypatch.setattr(operators, 'import_module', fail)

    (found,) = operators.check_compiled()

    assert found.state == PROBLEM
    assert 'undefined symbol: _ZN3c10' in found.found


def test_a_sum_that_is_wrong_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    (sound,) = devices.check_cpu()
    monkeypatch.setattr(devices, '_SUM', 99.0)
    (wrong,) = devices.check_cpu()

    assert sound.state == OK
    assert wrong.state == STOP
    assert wrong.found == 'computes 100.0 and 100.0 where 99.0 is right'


@pytest.mark.parametrize(
    ('built', 'driver', 'hidden', 'state', 'words'),
    [
        (None, False, None, NOTE, 'there is none: the processor computes'),
        ('12.8', False, None, NOTE, 'there is none that PyTorch for CUDA 12.8'),
        (None, True, None, PROBLEM, 'a driver of NVIDIA is there, and PyTorch'),
        ('12.8', True, None, PROBLEM, 'cannot use the driver: AssertionError: old'),
        ('12.8', True, '', NOTE, 'hidden by CUDA_VISIBLE_DEVICES='),
        ('12.8', True, '-1', NOTE, 'hidden by CUDA_VISIBLE_DEVICES=-1'),
    ],
)
def test_why_no_gpu_computes_is_told(
    built: str | None,
    driver: bool,
    hidden: str | None,
    state: State,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise AssertionError('old')

    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    if hidden is not None:
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', hidden)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(torch.cuda, 'init', fail)
    monkeypatch.setattr(torch.version, 'cuda', built)
    monkeypatch.setattr(torch.version, 'hip', None)
    monkeypatch.setattr(devices.shutil, 'which', lambda name: driver or None)

    (found,) = devices.check_cuda()

    assert found.state == state
    assert found.found.startswith(words) or words in found.found


def test_a_gpu_that_cannot_compute_is_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    monkeypatch.setattr(torch.cuda, 'mem_get_info', lambda index: (3e9, 4e9))
    monkeypatch.setattr(torch.cuda, 'get_device_name', lambda index: 'K80')
    # The meta device has no values, which fails as a GPU without kernels does.
    trouble = devices._trouble
    monkeypatch.setattr(devices, '_trouble', lambda device: trouble('meta'))

    (found,) = devices.check_cuda()

    assert (found.name, found.state) == ('GPU 0', PROBLEM)
    assert found.found.startswith('K80, 3.0 of 4.0 GB free, CUDA ')
    assert 'cannot compute: ' in found.found


def test_a_detector_that_misses_objects_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing:
        scores, labels, bboxes = torch.zeros(0), torch.zeros(0), torch.zeros(0, 4)

        def __getitem__(self, mask: torch.Tensor) -> 'Nothing':
            return self

    monkeypatch.setattr(detector, '_detect', lambda *_: Nothing())
    (found,) = detector.check_detector()

    assert found.state == STOP
    assert 'finds 0 of 3 objects' in found.found


def test_a_detector_that_fails_is_told_with_its_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(image: np.ndarray, device: torch.device) -> None:
        raise RuntimeError('no kernel image')

    monkeypatch.setattr(detector, '_detect', fail)
    (found,) = detector.check_detector()

    assert found.state == STOP
    assert 'fails: RuntimeError: no kernel image' in found.found
