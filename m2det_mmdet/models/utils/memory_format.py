"""The channels-last memory format, which speeds up convolutions of few channels."""

import torch
from torch import Tensor, nn


def to_channels_last(model: nn.Module) -> None:
    """Store 4-d weights of ``model`` channels last; its maps then follow.

    Modules of mmcv's operators keep their weights and get contiguous maps. The compiled
    ones, such as RoIAlign, ignore the memory format and would give wrong results
    without an error.
    """
    model.to(memory_format=torch.channels_last)
    for module in model.modules():
        kinds = type(module).__mro__
        if any(kind.__module__.startswith('mmcv.ops.') for kind in kinds):
            module.to(memory_format=torch.contiguous_format)
            module.register_forward_pre_hook(_make_contiguous)


def _make_contiguous(_: nn.Module, inputs: tuple) -> tuple:
    """Return the inputs of a module with their tensors contiguous."""
    return tuple(x.contiguous() if isinstance(x, Tensor) else x for x in inputs)
