"""What is checked of a checkpoint from which a training goes on."""

from collections.abc import Mapping
from typing import Any

from mmengine.optim import (
    AmpOptimWrapper,
    OptimWrapper,
    OptimWrapperDict,
    _ParamScheduler,
)
from mmengine.runner import IterBasedTrainLoop, Runner
from torch import Tensor

from ..utils.texts import one_line, shown
from ..utils.values import is_count, is_number
from .errors import CheckpointError

# Above are no numbers of epochs or iterations.
_LAST = 2**40


def check_resumable(checkpoint: Mapping[str, Any], runner: Runner) -> None:
    """Compare the parts of a checkpoint with a runner whose model is built.

    Args:
        checkpoint: A checkpoint that the safe loaders have read.
        runner: The runner, with its loop, optimizer and schedulers.

    Raises:
        CheckpointError: If a part is missing or does not fit: MMEngine would begin
            that part anew without a word, or stop in the middle of it.
    """
    problem = _problem(checkpoint, runner)
    if problem is not None:
        raise CheckpointError(
            f'A training cannot go on from this checkpoint: {problem}. Take the one '
            'that was written at the end of an epoch (epoch_*.pth), and the config of '
            'its training; or begin a new training with it as load_from.'
        )


def _problem(checkpoint: Mapping[str, Any], runner: Runner) -> str | None:
    """Return what is missing or does not fit, if anything."""
    parts = ['meta', 'message_hub', 'optimizer']
    if runner.param_schedulers:
        parts.append('param_schedulers')
    lacking = [name for name in parts if name not in checkpoint]
    meta = checkpoint.get('meta', {})
    lacking += [f'meta.{name}' for name in ('epoch', 'iter') if name not in meta]
    if lacking:
        return f'it has no {", no ".join(lacking)}'
    return (
        _past_the_end(meta, runner)
        or _unlike_optimizer(checkpoint['optimizer'], runner.optim_wrapper)
        or _unlike_schedulers(checkpoint.get('param_schedulers'), runner)
        or _strange_info(checkpoint['message_hub']['runtime_info'])
    )


def _past_the_end(meta: Mapping[str, Any], runner: Runner) -> str | None:
    loop = runner.train_loop
    if isinstance(loop, IterBasedTrainLoop):
        key, end = 'iter', loop.max_iters
    else:
        key, end = 'epoch', loop.max_epochs
    if meta[key] > end:
        return f'it is at {key} {meta[key]}, and the config ends at {end}'
    return None


def _unlike_optimizer(saved: Any, wrapper: OptimWrapper) -> str | None:
    if isinstance(wrapper, OptimWrapperDict):
        problems = (
            _unlike_optimizer(saved.get(k), inner) for k, inner in wrapper.items()
        )
        return next(filter(None, problems), None)
    if not isinstance(saved, Mapping):
        return f'its optimizer is {shown(saved)}'
    if isinstance(wrapper, AmpOptimWrapper) and not _is_scaler_like(saved, wrapper):
        return 'its optimizer.loss_scaler is none of PyTorch'
    groups, state = saved.get('param_groups'), saved.get('state')
    whole = _is_list_of_mappings(groups) and isinstance(state, Mapping)
    if not whole or not all(isinstance(group.get('params'), list) for group in groups):
        return 'its optimizer is none of PyTorch'
    # Those of the wrapper have MMEngine's settings of no parameter beside them.
    own = wrapper.optimizer.param_groups
    sizes = [len(group['params']) for group in groups]
    ours = [len(group['params']) for group in own]
    if sizes != ours:
        return (
            f'its optimizer has {sum(sizes)} parameters in {len(sizes)} groups, that '
            f'of the config {sum(ours)} in {len(ours)}'
        )
    if not _are_base_settings(saved.get('base_param_settings'), wrapper):
        return 'its optimizer.base_param_settings are none of MMEngine'
    pairs = zip(groups, own, strict=True)
    problems = (_unlike_group(group, mine, state) for group, mine in pairs)
    return next(filter(None, problems), None)


def _are_base_settings(saved: Any, wrapper: OptimWrapper) -> bool:
    """Whether MMEngine may keep this beside the rates of single parameters."""
    own = wrapper.base_param_settings
    if saved is None or own is None:
        return saved is None
    return isinstance(saved, Mapping) and all(
        key in own and _is_like(value, own[key]) for key, value in saved.items()
    )


def _is_scaler_like(saved: Mapping[str, Any], wrapper: AmpOptimWrapper) -> bool:
    if 'loss_scaler' not in saved:
        return True
    scaler, own = saved['loss_scaler'], wrapper.loss_scaler.state_dict()
    return isinstance(scaler, Mapping) and all(
        _is_like(scaler.get(key), value) for key, value in own.items()
    )


def _unlike_group(
    group: Mapping[str, Any], own: Mapping[str, Any], state: Mapping[Any, Any]
) -> str | None:
    """Compare a group of parameters, which has as many, and what is kept of each."""
    for key in own.keys() & group.keys() - {'params'}:
        if not _is_like(group[key], own[key]):
            return f'its optimizer has a group whose {key} is {shown(group[key])}'
    for index, parameter in zip(group['params'], own['params'], strict=True):
        if not (is_count(index) and _is_state(state.get(index, {}), parameter)):
            return f'its optimizer keeps of parameter {shown(index)} what fits none'
    return None


def _is_state(entries: Any, parameter: Tensor) -> bool:
    """Whether an optimizer may keep this of a parameter.

    That is a number, or a tensor of the parameter's shape, of fewer dimensions, or with
    one row for all, and in no case a larger one.
    """
    return isinstance(entries, Mapping) and all(
        isinstance(name, str)
        and (
            _fits(value, parameter)
            if isinstance(value, Tensor)
            else value is None or is_number(value)
        )
        for name, value in entries.items()
    )


def _fits(value: Tensor, parameter: Tensor) -> bool:
    if value.numel() > max(parameter.numel(), 1):
        return False
    if value.ndim < max(parameter.ndim, 1):
        return True
    return value.ndim == parameter.ndim and all(
        size in (1, own) for size, own in zip(value.shape, parameter.shape, strict=True)
    )


def _unlike_schedulers(saved: Any, runner: Runner) -> str | None:
    schedulers = runner.param_schedulers or []
    if isinstance(schedulers, Mapping):
        if not isinstance(saved, Mapping) or saved.keys() != schedulers.keys():
            return 'its param_schedulers are those of other optimizers'
        pairs = [(saved[name], schedulers[name]) for name in schedulers]
    else:
        pairs = [(saved or [], schedulers)]
    for states, own in pairs:
        if not _is_list_of_mappings(states) or len(states) != len(own):
            return f'its param_schedulers are {shown(states)}, not {len(own)} of a kind'
        problems = map(_unlike_scheduler, states, own)
        if problem := next(filter(None, problems), None):
            return problem
    return None


def _unlike_scheduler(state: Mapping[str, Any], own: _ParamScheduler) -> str | None:
    ours = own.state_dict()
    for key, value in state.items():
        if key not in ours or not _is_like(value, ours[key]):
            return (
                f'its param_schedulers have {shown(key)}={shown(value)}, which no '
                f'{type(own).__name__} of the config has'
            )
    return None


def _strange_info(info: Mapping[str, Any]) -> str | None:
    """Check what MMEngine itself takes out of the message hub again."""
    for key, value in info.items():
        if key.startswith('best_score'):
            fits = is_number(value)
        elif key == 'keep_ckpt_ids':
            fits = isinstance(value, list) and all(
                is_count(x) and x < _LAST for x in value
            )
        elif key.startswith('best_ckpt') or key == 'last_ckpt':
            fits = value is None or isinstance(value, str)
        else:
            continue
        if not fits:
            place = f'message_hub.runtime_info.{one_line(key, 60)}'
            return f'its {place} is {shown(value)}'
    return None


def _is_like(saved: Any, own: Any) -> bool:
    """Whether a stored setting is of the kind of our own."""
    if isinstance(own, bool | str):
        return isinstance(saved, type(own))
    if isinstance(own, int | float):
        return is_number(saved) or (isinstance(saved, Tensor) and saved.numel() == 1)
    if isinstance(own, list | tuple):
        if not isinstance(saved, list | tuple) or len(saved) != len(own):
            return False
        return all(map(_is_like, saved, own))
    return not isinstance(own, Mapping) or isinstance(saved, Mapping)


def _is_list_of_mappings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(x, Mapping) for x in value)
