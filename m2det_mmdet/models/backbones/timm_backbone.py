"""Networks of timm as backbones."""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from mmdet.registry import MODELS
from mmdet.utils import OptMultiConfig
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ...checkpoints import (
    CheckpointError,
    WeightsError,
    check_weights,
    state_dict_of,
)
from ...checkpoints.weights import tensors_of
from ...compat.optional import import_optional
from ...utils.builds import did_you_mean
from ...utils.errors import M2DetError, clause_of

# Arguments of timm by which it would read files itself, some without any check.
_READING = ('checkpoint_path', 'pretrained_cfg', 'pretrained_cfg_overlay')


class TimmError(M2DetError, ValueError):
    """timm has no such network, or the network no such maps."""


@MODELS.register_module()
class TimmBackbone(BaseModule):
    """A network of `timm <https://huggingface.co/docs/timm>`_ without its classifier.

    Any network that tells timm its maps: nearly all. What follows the deepest of the
    maps that are asked for is left out. Without weights it keeps timm's own random
    initialization. Images have to be prepared as the weights need it:
    ``timm.get_pretrained_cfg(name)`` has mean and deviation, for pixels in 0..1.

    Args:
        name: Name of the network in timm, such as ``convnext_tiny``; a tag,
            ``convnext_tiny.in12k_ft_in1k``, chooses among its weights.
        out_indices: Which maps it gives, counted as in timm's ``feature_info``. By
            default, all.
        strides: The same by strides, in input pixels per cell. Of several maps of one
            stride it is the deepest, as of a network with ``output_stride=16``.
        pretrained: Whether ``init_weights`` loads the weights of timm's hub.
        checkpoint: File or URL that it loads instead, read as all checkpoints here.
            Its tensors have timm's names; those of the classifier are left.
        frozen_stages: Index of the last map up to which nothing is trained, counted as
            ``out_indices``; -1: all is trained.
        norm_eval: Whether batch norms keep their statistics.
        in_channels: Channels of the images.
        init_cfg: Initialization config.
        **options: Further arguments of ``timm.create_model``, as ``drop_path_rate``,
            ``output_stride``, or the ``img_size`` of networks that need one.

    Attributes:
        out_channels: Channels of each map, a list.
        strides: Strides of each map, a list.

    Shape:
        - Input: ``(N, in_channels, H, W)``.
        - Output: maps ``(N, out_channels[i], H / strides[i], W / strides[i])``, the
          deepest last, also of transformers. Most networks round sizes up.

    Raises:
        PackagesError: If timm is not installed, or cannot be imported.
        TimmError: If timm has no such network, or cannot make it with ``options``; if
            it has no such maps or stages; or if arguments contradict each other.
        CheckpointError: In ``init_weights``, if timm's hub does not give the weights.
        WeightsError: In ``init_weights``, if ``checkpoint`` is one of another network.
    """

    def __init__(
        self,
        name: str,
        *,
        out_indices: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
        pretrained: bool = False,
        checkpoint: str | None = None,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        in_channels: int = 3,
        init_cfg: OptMultiConfig = None,
        **options: Any,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        sources = {'checkpoint': checkpoint, 'pretrained': pretrained}
        given = [
            key for key, value in {**sources, 'init_cfg': init_cfg}.items() if value
        ]
        if len(given) > 1:
            raise TimmError(
                f'{name} can start from one thing only, and {" and ".join(given)} are '
                'given: leave out all but one.'
            )
        if out_indices is not None and strides is not None:
            raise TimmError(
                f'The maps of {name} are chosen by out_indices={[*out_indices]} and by '
                f'strides={[*strides]}: leave one of them out.'
            )
        if reading := [key for key in _READING if key in options]:
            raise TimmError(
                f'{name} takes no {" and no ".join(reading)}: give a file or URL as '
                'checkpoint, or choose the weights by the tag in the name.'
            )
        self.name = name
        self.pretrained, self.checkpoint = pretrained, checkpoint
        self.norm_eval = norm_eval
        self.options = {'in_chans': in_channels, **options}
        self.network = create_network(name, **self.options)
        # Before what no map needs is left out, with the classifier.
        self._names = {*self.network.state_dict()}
        info = self.network.feature_info
        if strides is not None:
            out_indices = _with_strides(name, info, strides)
        elif out_indices is None:
            out_indices = range(len(info))
        self.out_indices = sorted({*out_indices})
        _check_indices(name, self.out_indices, frozen_stages, len(info))
        self.out_channels = [info[i]['num_chs'] for i in self.out_indices]
        self.strides = [info[i]['reduction'] for i in self.out_indices]
        self._frozen: list[nn.Module] = []
        if frozen_stages >= 0:
            self._freeze(info[frozen_stages]['module'])
        self.network.prune_intermediate_layers(
            self.out_indices, prune_norm=True, prune_head=True
        )

    def init_weights(self) -> None:
        """Load the weights to start from; without any, keep timm's initialization."""
        if self.checkpoint is not None:
            # By the safe loaders of this package, whatever the scheme.
            load = CheckpointLoader.load_checkpoint
            self._load(self.checkpoint, load(self.checkpoint, map_location='cpu'))
        elif self.pretrained:
            try:
                timm = _import_timm()
                whole = timm.create_model(self.name, pretrained=True, **self.options)
            except Exception as error:
                raise CheckpointError(
                    f"The weights of {self.name} cannot be had from timm's hub "
                    f'({clause_of(error)}): check name and network, or give a file of '
                    'them as checkpoint.'
                ) from error
            self._load(f"timm's {self.name}", whole.state_dict())
        elif self.init_cfg:
            super().init_weights()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of images ``(N, in_channels, H, W)``, the deepest last."""
        maps = self.network.forward_intermediates(
            x, indices=self.out_indices, output_fmt='NCHW', intermediates_only=True
        )
        return tuple(maps)

    def train(self, mode: bool = True) -> 'TimmBackbone':
        """Set the mode; what is frozen stays in that of a test."""
        super().train(mode)
        norms = (x for x in self.network.modules() if isinstance(x, _BatchNorm))
        for module in [*self._frozen, *(norms if self.norm_eval else ())]:
            module.training = False
        return self

    def _freeze(self, last: str) -> None:
        """Freeze all modules that stand before the end of one, in timm's order."""
        modules = dict(self.network.named_modules())
        names = [*modules]
        inside = [name for name in names if f'{name}.'.startswith(f'{last}.')]
        if not inside:
            raise TimmError(
                f'timm does not tell which part of {self.name} makes its map {last}: '
                'leave out frozen_stages.'
            )
        for name in names[: names.index(inside[-1]) + 1]:
            self._frozen.append(modules[name])
            for parameter in modules[name].parameters(recurse=False):
                parameter.requires_grad = False

    def _load(self, source: str, checkpoint: Mapping[str, Any]) -> None:
        """Load what a checkpoint has for the network.

        Raises:
            WeightsError: If it is one of another network.
        """
        weights = tensors_of(state_dict_of(checkpoint))
        try:
            check_weights(weights, self.network, complete=True)
        except WeightsError as error:
            raise WeightsError(
                f'{source} has not the weights of {self.name}. {error}'
            ) from error
        unknown = [name for name in weights if name not in self._names]
        if unknown:
            raise WeightsError(
                f'{source} is of a larger network than {self.name}, which has no '
                f'{unknown[0]} ({len(unknown)} such tensors): take the name of that '
                'network, or weights of this one.'
            )
        self.network.load_state_dict(weights, strict=False)


def create_network(name: str, **options: Any) -> nn.Module:
    """Make a network of timm, with its classifier.

    Args:
        name: Its name.
        **options: Further arguments of ``timm.create_model``.

    Returns:
        The network, which has ``feature_info`` and ``forward_intermediates``.

    Raises:
        PackagesError: If timm cannot be imported.
        TimmError: If timm has no such network, cannot make it, or it tells no maps.
    """
    timm = _import_timm()
    network_name, _, tag = name.partition('.')
    if not timm.is_model(network_name):
        hint = did_you_mean(network_name, timm.list_models()) or (
            'timm.list_models() names all of them.'
        )
        raise TimmError(f'timm {timm.__version__} has no network {name}: {hint}')
    if tag and not timm.is_model_pretrained(name):
        known = ', '.join(timm.list_pretrained(f'{network_name}.*')) or 'none'
        raise TimmError(
            f'timm {timm.__version__} has no weights {name}: of that network it has '
            f'{known}.'
        )
    try:
        network = timm.create_model(name, **options)
    except (AssertionError, TypeError, ValueError) as error:
        raise TimmError(
            f'timm cannot make {name} with {options} ({clause_of(error)}): change '
            'these arguments.'
        ) from error
    if not hasattr(network, 'forward_intermediates'):
        raise TimmError(
            f'timm tells no maps of {name}: take another network, as a pyramid such '
            'as convnext_tiny.'
        )
    return network


def _import_timm() -> ModuleType:
    """Import timm, which only this backbone needs.

    Raises:
        PackagesError: If it is not there, or fails.
    """
    return import_optional('timm', package='timm', extra='timm', user='TimmBackbone')


def _with_strides(
    name: str, info: Sequence[Mapping[str, Any]], strides: Sequence[int]
) -> list[int]:
    """Return the index of the deepest map of each stride.

    Raises:
        TimmError: If there is none; names the strides that there are.
    """
    deepest = {info[i]['reduction']: i for i in range(len(info))}
    missing = [stride for stride in strides if stride not in deepest]
    if missing:
        raise TimmError(
            f'{name} has maps of the strides {[*deepest]}, and none of {missing}: ask '
            f'for those, not for strides={[*strides]}.'
        )
    return [deepest[stride] for stride in strides]


def _check_indices(
    name: str, out_indices: Sequence[int], frozen_stages: int, number: int
) -> None:
    """Raise where a map is asked for, or a stage is to be frozen, that is not there."""
    if not out_indices or out_indices[0] < 0 or out_indices[-1] >= number:
        raise TimmError(
            f'{name} has {number} maps, 0 to {number - 1}, and out_indices are '
            f'{[*out_indices]}: choose among those.'
        )
    if not -1 <= frozen_stages <= out_indices[-1]:
        raise TimmError(
            f'The deepest map that {name} gives is {out_indices[-1]}, and '
            f'frozen_stages is {frozen_stages}: choose -1, or 0 to that.'
        )
