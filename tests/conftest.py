"""What every test needs: the package registered, mmdet's registries in charge."""

import os

import pytest
import torch

# Without a GPU Triton's kernels run in its interpreter, which has to be chosen before
# the first import of Triton.
if not torch.cuda.is_available():
    os.environ.setdefault('TRITON_INTERPRET', '1')

from mmengine.registry import DefaultScope, init_default_scope  # noqa: E402

import m2det_mmdet  # noqa: E402, F401


@pytest.fixture(autouse=True)
def mmdet_scope() -> None:
    """Let configs name mmdet's modules without their scope, as its tools do."""
    if DefaultScope.get_current_instance() is None:
        init_default_scope('mmdet')
