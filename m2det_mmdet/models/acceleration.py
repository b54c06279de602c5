"""Faster inference of a trained detector, with the same results."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmcv.cnn.bricks.wrappers import Conv2d
from mmdet.models.backbones.resnet import BasicBlock, Bottleneck, ResNet
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..ops.failures import reason_of
from ..utils.errors import M2DetError
from ..utils.processors import warn_if_slow
from .detectors import drop_auxiliary
from .necks import MLFPN
from .utils.memory_format import to_channels_last

# Parts of a detector that take and return only tensors.
PARTS = ('backbone', 'neck', 'rpn_head', 'arm_head', 'bbox_head')
DTYPES = ('bfloat16', 'float16')
# Layers with PyTorch's own forward. Others recompute weights or apply an activation.
_CONVS = (nn.Conv2d, Conv2d)
_NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm)
# Modules that call their convolutions and norms in the order of their children.
_IN_ORDER = (ConvModule, ResNet, BasicBlock, Bottleneck)


def accelerate(
    model: nn.Module,
    *,
    fold_norm: bool = True,
    channels_last: bool = True,
    compile: bool | dict = False,
    autocast: str | None = None,
) -> nn.Module:
    """Make inference faster; the model cannot be trained or loaded afterwards.

    Args:
        model: A detector in eval mode, with its weights, on its device; or one in a
            wrapper that has it as ``module``.
        fold_norm: Whether to multiply batch norms into the convolutions before them,
            and to thin an MLFPN's base feature for all levels by one convolution.
        channels_last: Whether to store 4-d weights channels last.
        compile: Whether to compile the parts of :data:`PARTS`, at the first image of
            each shape; or a dict of arguments of :func:`torch.compile`. On a CPU
            weights become constants, which oneDNN keeps in its own layout.
        autocast: ``'bfloat16'`` or ``'float16'`` for :func:`torch.autocast` within
            these parts; their outputs are float32 again. ``None`` for none. A device
            that is slow in it is told of in the log.

    Returns:
        ``model`` itself, changed in place. A state dict saved before keeps its values.

    Raises:
        ValueError: If ``model`` is in training mode or has none of the parts, or
            ``autocast`` or ``compile`` has another value.
    """
    check_arguments(compile, autocast)
    _check_model(model, needs_parts=bool(autocast) or compile is not False)
    drop_auxiliary(model).requires_grad_(False)
    if fold_norm:
        _fold_norms(model)
        for module in model.modules():
            if isinstance(module, MLFPN):
                module.merge_leaches()
    if channels_last:
        to_channels_last(model)
    if autocast or compile is not False:
        arguments = ({} if compile else None) if isinstance(compile, bool) else compile
        device = next(model.parameters()).device
        if autocast:
            warn_if_slow(device, autocast, 'autocast')
        for part in _parts(model):
            part.forward = _Forward(part, device.type, autocast, arguments)
    return model


def check_arguments(compile: Any, autocast: Any) -> None:
    """Check arguments of :func:`accelerate` without a model.

    Raises:
        ValueError: If ``autocast`` or ``compile`` is not valid.
    """
    if autocast not in (None, *DTYPES):
        raise ValueError(
            f'autocast must be None or one of {", ".join(DTYPES)}, got {autocast!r}.'
        )
    if not isinstance(compile, (bool, dict)):
        raise ValueError(
            'compile must be True, False or a dict of arguments of torch.compile, '
            f'got {compile!r}.'
        )


def _check_model(model: nn.Module, *, needs_parts: bool) -> None:
    """Raise if ``model`` trains, or lacks the parts that an option acts on."""
    if any(module.training for module in model.modules()):
        raise ValueError('The model is in training mode: call model.eval() first.')
    if needs_parts and not _parts(model):
        raise ValueError(
            f'{type(model).__name__} has none of {", ".join(PARTS)}, which compile and '
            'autocast act on: give a detector.'
        )


def _parts(model: nn.Module) -> list[nn.Module]:
    """Parts of the detector in ``model`` that take and return only tensors."""
    while isinstance(getattr(model, 'module', None), nn.Module):
        model = model.module
    parts = (getattr(model, name, None) for name in PARTS)
    return [part for part in parts if isinstance(part, nn.Module)]


def _fold_norms(model: nn.Module) -> None:
    """Replace each pair of convolution and batch norm by one convolution.

    If modules share a convolution but have their own batch norms, each gets its own
    convolution.
    """
    for parent in list(model.modules()):
        for conv, norm in list(_pairs(parent)):
            fused = fuse_conv_bn_eval(parent._modules[conv], parent._modules[norm])
            parent._modules[conv] = fused
            parent._modules[norm] = nn.Identity().eval()
        if isinstance(parent, ConvModule):
            # This would compute folded weights from the batch norm that is gone.
            parent.efficient_conv_bn_eval_forward = None


def _pairs(parent: nn.Module) -> Iterator[tuple[str, str]]:
    """Names of each convolution and batch norm that follow each other in ``parent``.

    Only if ``parent`` is known to call its children in their order.
    """
    in_order = isinstance(parent, _IN_ORDER) or (
        isinstance(parent, nn.Sequential)
        and type(parent).forward is nn.Sequential.forward
    )
    order = getattr(parent, 'order', ('conv', 'norm'))
    if not in_order or 'conv,norm' not in ','.join(order):
        return
    children = list(parent._modules.items())
    for (first, conv), (second, norm) in zip(children, children[1:], strict=False):
        if (
            type(conv) in _CONVS
            and type(norm) in _NORMS
            and norm.running_mean is not None
            and norm.num_features == conv.out_channels
            and 'weight' in conv._parameters
        ):
            yield first, second


class _Forward:
    """A module's forward in lower precision or compiled, with float32 results.

    Args:
        module: Module whose forward this replaces.
        device_type: Type of the device that computes.
        autocast: Lower precision of convolutions and matrix products, if any.
        compile: Arguments of :func:`torch.compile`; ``None`` to leave it out.
    """

    def __init__(
        self,
        module: nn.Module,
        device_type: str,
        autocast: str | None,
        compile: dict | None,
    ) -> None:
        self.forward = module.forward
        self.device_type = device_type
        self.dtype = getattr(torch, autocast) if autocast else None
        self.compile = compile
        self._compiled: Callable[..., Any] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the module's forward; floating point results become float32."""
        with torch.no_grad(), self._precision(), self._compiling():
            outputs = self._function()(*args, **kwargs)
        return outputs if self.dtype is None else _to_float(outputs)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, '_compiled': None}

    def _function(self) -> Callable[..., Any]:
        """Return the module's own forward, compiled if the arguments are given.

        PyTorch limits how often it compiles one piece of code. A function that all
        parts share would soon reach this limit.
        """
        if self.compile is None:
            return self.forward
        # A copy compiles again: compiled code refers to the module it was made for.
        if self._compiled is None:
            arguments = {'dynamic': False, **self.compile}
            self._compiled = torch.compile(self.forward, **arguments)
        return self._compiled

    def _precision(self) -> AbstractContextManager:
        if self.dtype is None:
            return nullcontext()
        return torch.autocast(self.device_type, self.dtype)

    @contextmanager
    def _compiling(self) -> Iterator[None]:
        """Make weights constants on a CPU.

        Raises:
            M2DetError: If compiling fails.
        """
        if self.compile is None:
            yield
            return
        # Imported here because it takes long.
        from torch._dynamo.exc import TorchDynamoException
        from torch._inductor import config

        # PyTorch reads this before the options of torch.compile.
        on_cpu = self.device_type == 'cpu'
        try:
            with config.patch(freezing=True) if on_cpu else nullcontext():
                yield
        except TorchDynamoException as error:
            reason = reason_of(getattr(error, 'inner_exception', error))
            raise M2DetError(
                f'The network cannot be compiled ({reason}): see to the compiler, or '
                'leave compile out.'
            ) from error


def _to_float(outputs: Any) -> Any:
    """Convert floating point tensors in tuples, lists and dicts to float32."""
    if isinstance(outputs, torch.Tensor):
        return outputs.float() if outputs.is_floating_point() else outputs
    if isinstance(outputs, dict):
        return {key: _to_float(value) for key, value in outputs.items()}
    if isinstance(outputs, (tuple, list)):
        return type(outputs)(map(_to_float, outputs))
    return outputs
