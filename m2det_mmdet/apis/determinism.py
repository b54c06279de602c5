"""Gives the same weights twice, or says what cannot."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.config import Config

from ..utils.errors import M2DetError

_WORKSPACE = 'CUBLAS_WORKSPACE_CONFIG'
# The larger of the two that cuBLAS needs for it: 24 MB of memory a stream.
_REPEATABLE = ':4096:8'


@contextmanager
def own_kernels() -> Iterator[None]:
    """Let a training choose its kernels, and choose as before afterwards.

    MMEngine sets for the whole process what a config says.

    Raises:
        M2DetError: If an operation has no deterministic kernel, and the config asks for
            one.
    """
    was_strict = torch.are_deterministic_algorithms_enabled()
    only_warned = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    workspace = os.environ.get(_WORKSPACE)
    try:
        yield
    except RuntimeError as error:
        found = re.search(r'(\S+) does not have a deterministic implem', str(error))
        if found is None:
            raise
        raise M2DetError(
            f'{found[1]} has no deterministic kernel on this device: leave '
            'deterministic out, or train on the CPU.'
        ) from error
    finally:
        torch.use_deterministic_algorithms(was_strict, warn_only=only_warned)
        cudnn.deterministic, cudnn.benchmark = before
        if workspace is None:
            os.environ.pop(_WORKSPACE, None)


def prepare_kernels(cfg: Config) -> None:
    """Let cuBLAS compute the same twice where a config is deterministic.

    It reads the variable before its first product, PyTorch before each.

    Args:
        cfg: The config; :func:`own_kernels` takes back what is set.
    """
    if (cfg.get('randomness') or {}).get('deterministic'):
        os.environ.setdefault(_WORKSPACE, _REPEATABLE)
