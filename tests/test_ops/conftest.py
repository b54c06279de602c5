"""What tests of operators share: mmcv's stand-in, the kernels, the plain loop."""

import sys
from collections.abc import Callable
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from m2det_mmdet.compat import install
from m2det_mmdet.ops import kernels

# Before the test modules import mmcv.ops.
install()

KERNELS = ('numba', 'torch', 'triton')


@pytest.fixture(params=KERNELS)
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let each of the kernels in turn serve all boxes."""
    name = request.param
    if name != 'torch' and find_spec(name) is None:
        pytest.skip(f'{name} is not installed')
    if name == 'triton' and not _triton_runs():
        pytest.fail('Triton was imported before TRITON_INTERPRET was set to 1.')
    monkeypatch.setattr(kernels, 'kernel_name', lambda *_: name)
    # No other kernel does the work of one that fails.
    monkeypatch.setattr(kernels, 'or_else', lambda name, run, instead: run())
    return name


@pytest.fixture
def call(kernel: str) -> Callable[..., tuple[Tensor, ...]]:
    """Call a function on the device of the kernel, with results on the CPU."""
    on_gpu = kernel == 'triton' and torch.cuda.is_available()
    device = torch.device('cuda' if on_gpu else 'cpu')

    def run(function: Callable[..., Any], *tensors: Tensor, **options: Any) -> Any:
        results = function(*(x.to(device) for x in tensors), **options)
        assert all(x.device.type == device.type for x in results)
        return tuple(x.cpu() for x in results)

    return run


@pytest.fixture(scope='session')
def reference() -> ModuleType:
    """The plain loop, and the comparison with it."""
    return _load('reference')


@pytest.fixture(scope='session')
def cases() -> ModuleType:
    """Random inputs."""
    return _load('cases')


def _triton_runs() -> bool:
    """Whether there is a GPU, or Triton's functions are those of its interpreter."""
    import triton.language as tl

    return torch.cuda.is_available() or 'interpreter' in type(tl.max).__module__


def _load(name: str) -> ModuleType:
    spec = spec_from_file_location(name, Path(__file__).with_name(f'{name}.py'))
    module = module_from_spec(spec)
    # Dataclasses look up their module.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
