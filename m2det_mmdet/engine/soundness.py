"""Tells whether the state of a training holds numbers."""

from collections.abc import Iterable, Iterator

import torch
from mmengine.dist import all_gather_object
from mmengine.hooks import EMAHook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

# Keys of MMEngine's message hub, which is in every checkpoint.
SKIPPED, IN_A_ROW = 'skipped_steps', 'skipped_in_a_row'


def unsound(runner: Runner, *, alone: bool = False) -> str | None:
    """Tell why the present state of a training must not be saved.

    Args:
        runner: The runner, between two iterations.
        alone: Whether only this process asks. By default all processes ask together
            and get the same answer: the shards of FSDP differ.

    Returns:
        A part of a sentence, as ``backbone.conv1.weight is not finite``; ``None`` for a
        state that can be saved.
    """
    skipped = runner.message_hub.get_info(IN_A_ROW, 0)
    if skipped:
        times = (
            'the last step was' if skipped == 1 else f'the last {skipped} steps were'
        )
        return f'{times} skipped, for the loss or a gradient was not finite'
    bad = _first_not_finite(runner)
    found = [bad] if alone else all_gather_object(bad)
    names = [name for name in found if name]
    return f'{names[0]} is not finite' if names else None


def look_finite(tensors: Iterable[Tensor]) -> Tensor:
    """Look fast at many tensors, without waiting for a device.

    Args:
        tensors: Tensors of any types and devices; only floating ones count.

    Returns:
        A boolean of no dimensions. True: all values are finite. False: one is not, or
        values are so large that their squares are not; :func:`is_finite` tells which.
    """
    groups: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
    for tensor in tensors:
        if tensor.is_floating_point() and tensor.numel():
            groups.setdefault((tensor.device, tensor.dtype), []).append(tensor.detach())
    flags = [
        # The norm of the largest value alone would be exact, but is ten times as slow
        # on a CPU.
        torch.stack(torch._foreach_norm(group, 2)).isfinite().all()
        for group in groups.values()
    ]
    if not flags:
        return torch.tensor(True)
    return torch.stack([flag.to(flags[0].device) for flag in flags]).all()


def is_finite(tensor: Tensor) -> bool:
    """Whether all values of a tensor are finite."""
    return bool(tensor.isfinite().all())


def statistics_of(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the running statistics of norm layers with their names.

    Other buffers hold -inf where that is meant, as the masks of an attention.
    """
    for name, module in model.named_modules():
        if isinstance(module, _NormBase):
            yield from module.named_buffers(name)


def wrappers_of(runner: Runner) -> dict[str, OptimWrapper]:
    """Return the optimizers of a runner by their names, mostly one without a name."""
    wrapper = runner.optim_wrapper
    if isinstance(wrapper, OptimWrapperDict):
        return dict(wrapper.items())
    return {'': wrapper}


def _first_not_finite(runner: Runner) -> str | None:
    """Return the name of the first tensor of the state that is not finite."""
    tensors = dict(_state(runner))
    if bool(look_finite(tensors.values())):
        return None
    return next((x for x, tensor in tensors.items() if not is_finite(tensor)), None)


def _state(runner: Runner) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a checkpoint with their names."""
    yield from _of_model(runner.model, '')
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            yield from _of_model(hook.ema_model.module, 'the mean of ')
    names = {parameter: name for name, parameter in runner.model.named_parameters()}
    for prefix, wrapper in wrappers_of(runner).items():
        for parameter, values in wrapper.optimizer.state.items():
            for key, value in values.items():
                if isinstance(value, Tensor):
                    yield f'{prefix} {key} of {names.get(parameter)}'.strip(), value


def _of_model(model: nn.Module, prefix: str) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in (*model.named_parameters(), *statistics_of(model)):
        yield prefix + name, tensor
