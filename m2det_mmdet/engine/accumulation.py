"""Gradients of a step that is not complete, which a checkpoint has to keep."""

from collections.abc import Mapping

import torch
from mmengine.dist import all_gather_object, all_reduce, get_world_size
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor, nn

from ..checkpoints.errors import UnresumableError
from ..utils.texts import one_line, shown


def pending_gradients(runner: Runner) -> dict[str, Tensor] | None:
    """Return what was accumulated for the next step, by the names of the parameters.

    Call it in all processes. Each has gradients of its own until the step; their mean
    leads to the same step.

    Returns:
        ``None`` if the last iteration has completed a step.
    """
    wrapper = runner.optim_wrapper
    if not isinstance(wrapper, OptimWrapper):
        return None
    if wrapper._inner_count % wrapper._accumulative_counts == 0:
        return None
    parameters = _parameters(runner.model)
    own = {name: x.grad.detach() for name, x in parameters if x.grad is not None}
    if get_world_size() == 1:
        return {name: gradient.cpu().clone() for name, gradient in own.items()}
    # A parameter may have had no part in the batches of one process.
    anywhere = {name for names in all_gather_object([*own]) for name in names}
    gradients = {}
    for name, parameter in parameters:
        if name in anywhere:
            gradient = own.get(name, torch.zeros_like(parameter)).clone()
            all_reduce(gradient, 'mean')
            gradients[name] = gradient.detach().cpu()
    return gradients


def restore_gradients(runner: Runner, gradients: Mapping[str, Tensor]) -> None:
    """Give parameters what was accumulated before.

    Raises:
        UnresumableError: If a gradient is none of its parameter's.
    """
    if not isinstance(gradients, Mapping) or not all(
        isinstance(gradient, Tensor) for gradient in gradients.values()
    ):
        raise UnresumableError('gradients', shown(gradients))
    for name, parameter in _parameters(runner.model):
        gradient = gradients.get(name)
        if gradient is None:
            continue
        if gradient.shape != parameter.shape or gradient.dtype != parameter.dtype:
            raise UnresumableError(
                f'gradients.{one_line(name, 60)}',
                f'of shape {tuple(gradient.shape)} and {gradient.dtype}, the parameter '
                f'of {tuple(parameter.shape)} and {parameter.dtype}',
            )
        parameter.grad = gradient.to(parameter.device, copy=True)


def _parameters(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    inner = getattr(model, 'module', model)
    return [*torch.nn.Module.named_parameters(inner)]
