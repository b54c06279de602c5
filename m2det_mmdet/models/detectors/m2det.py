"""M2Det, the detector."""

from collections.abc import Sequence

from mmdet.models.detectors import SingleStageDetector
from mmdet.models.necks import NASFPN
from mmdet.models.utils import rename_loss_dict, reweight_loss_dict
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from mmdet.utils import OptConfigType, OptMultiConfig
from mmengine.model import ModuleList
from torch import Tensor, nn
from torch.func import functional_call

from ...utils.values import is_count, is_number
from ..necks import MLFPN
from ..utils.channels import follow_backbone


@MODELS.register_module()
class M2Det(SingleStageDetector):
    """A single-stage detector that fits its neck to its backbone, and its head to it.

    `M2Det <https://arxiv.org/abs/1811.04533>`_, or any neck under :class:`.M2DetHead`.
    It differs from :class:`mmdet.models.SingleStageDetector` in five points:

    - ``in_channels`` of the neck, of the first one in a chain, comes from the backbone
      if the config does not give it, or as ``None``;
    - ``in_channels`` of the head comes from the neck likewise;
    - a head that does not fit its neck fails here, not at the first image;
    - if the neck cannot take the backbone's maps, the error names them and the image
      size;
    - levels of an MLFPN may learn from heads of their own, too (``aux_levels``). The
      paper has no such heads.

    Args:
        backbone: Config of the backbone.
        neck: Config of the neck, if there is one; or a list of configs for a chain of
            necks.
        bbox_head: Config of the dense head.
        train_cfg: Training config of the head.
        test_cfg: Test config of the head.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: Initialization config.
        aux_levels: Levels of an MLFPN, from 0, that learn also by themselves: a head
            like ``bbox_head`` predicts from the maps of each one alone, before SFAM.
            Only training computes these heads; :func:`drop_auxiliary` removes them.
        aux_weight: What the losses of each of them are multiplied by.

    Raises:
        ValueError: If the head expects other maps than the neck makes, the neck's
            ``in_channels`` are missing and cannot be found, or there are no such
            ``aux_levels``; in ``extract_feat``, if the neck cannot take the backbone's
            maps: the image is too small, or their number or channels differ.
    """

    def __init__(
        self,
        backbone: dict,
        neck: OptMultiConfig = None,
        bbox_head: OptConfigType = None,
        train_cfg: OptConfigType = None,
        test_cfg: OptConfigType = None,
        data_preprocessor: OptConfigType = None,
        init_cfg: OptMultiConfig = None,
        *,
        aux_levels: Sequence[int] = (),
        aux_weight: float = 0.5,
    ) -> None:
        # The parent would build the head before the neck's channels are known.
        super(SingleStageDetector, self).__init__(
            data_preprocessor=data_preprocessor, init_cfg=init_cfg
        )
        self.backbone = MODELS.build(backbone)
        channels = None
        if neck is not None:
            neck = follow_backbone(neck, self.backbone)
            self.neck = MODELS.build(neck)
            last, config = self.neck, neck
            if isinstance(neck, list):
                last, config = self.neck[-1], neck[-1]
            if isinstance(last, NASFPN) and last.num_outs != 5:
                raise ValueError(
                    f'NASFPN makes five maps, and num_outs is {last.num_outs}: set '
                    'num_outs=5.'
                )
            channels = _map_channels(last, config)
        head = {'train_cfg': train_cfg, 'test_cfg': test_cfg, **bbox_head}
        if channels is not None:
            expected = list(head.setdefault('in_channels', channels))
            if expected != channels:
                raise ValueError(
                    f'The neck makes {len(channels)} maps of {channels} channels, the '
                    f'head expects {len(expected)} of {expected}: remove in_channels '
                    'from bbox_head to follow the neck.'
                )
        self.bbox_head = MODELS.build(head)
        self.train_cfg = train_cfg
        self.test_cfg = test_cfg
        if isinstance(aux_levels, str) or not isinstance(aux_levels, Sequence):
            raise ValueError(
                f'aux_levels must be a list of levels, such as [0, 1], got '
                f'{aux_levels!r}.'
            )
        self.aux_levels = tuple(aux_levels)
        self.aux_weight = aux_weight
        self.aux_heads = self._build_auxiliary(head)

    def loss(
        self, batch_inputs: Tensor, batch_data_samples: SampleList
    ) -> dict[str, Tensor]:
        """Compute the losses of the head, and those of the auxiliary heads.

        Returns:
            The losses of the head; of the head of level ``i`` of ``aux_levels`` the
            same as ``aux_level<i>.<name>``, times ``aux_weight``.
        """
        if not self.aux_levels:
            return super().loss(batch_inputs, batch_data_samples)
        maps, levels = self.neck.forward_with_levels(self.backbone(batch_inputs))
        losses = self.bbox_head.loss(maps, batch_data_samples)
        for level, head in zip(self.aux_levels, self.aux_heads, strict=True):
            own = head.loss(levels[level], batch_data_samples)
            own = reweight_loss_dict(own, self.aux_weight)
            losses.update(rename_loss_dict(f'aux_level{level}.', own))
        return losses

    def extract_feat(self, batch_inputs: Tensor) -> Sequence[Tensor]:
        """Return the maps of a batch of images ``(N, 3, H, W)``, the largest first."""
        maps = self.backbone(batch_inputs)
        return self._through_neck(maps, batch_inputs) if self.with_neck else maps

    def _build_auxiliary(self, head: dict) -> ModuleList:
        """Build a head like ``head`` for each of ``aux_levels``."""
        # PyTorch's own list would not pass on `init_weights`.
        heads = ModuleList()
        if self.aux_levels:
            self._check_auxiliary()
            channels = [self.neck.level_channels] * self.neck.num_scales
            own = {**head, 'in_channels': channels}
            heads.extend(MODELS.build(own) for _ in self.aux_levels)
        return heads

    def _check_auxiliary(self) -> None:
        """Raise if the neck has no such levels, or their heads would teach nothing."""
        neck, levels = getattr(self, 'neck', None), self.aux_levels
        if not isinstance(neck, MLFPN):
            given = 'no neck' if neck is None else type(neck).__name__
            raise ValueError(
                f'aux_levels={levels} are levels of an MLFPN, got {given}: remove '
                "aux_levels, or use neck=dict(type='MLFPN', ...)."
            )
        count = len(neck.tums)
        whole = all(is_count(level) and level < count for level in levels)
        if not whole or len(set(levels)) < len(levels):
            raise ValueError(
                f'aux_levels must be different levels of the neck, from 0 to '
                f'{count - 1} (num_levels={count}), got {levels}.'
            )
        if not is_number(self.aux_weight) or self.aux_weight <= 0:
            raise ValueError(
                f'aux_weight must be a number above 0, got {self.aux_weight!r}: for no '
                'auxiliary heads remove aux_levels.'
            )

    def _through_neck(
        self, maps: Sequence[Tensor], batch_inputs: Tensor
    ) -> Sequence[Tensor]:
        """Return the neck's maps for the backbone's maps of ``batch_inputs``.

        Raises:
            ValueError: If the neck cannot take them.
        """
        try:
            return self.neck(maps)
        except (AssertionError, IndexError, RuntimeError) as error:
            # Other errors, such as a lack of memory, have nothing to do with the size.
            if _accepts(self.neck, maps):
                raise
            height, width = batch_inputs.shape[-2:]
            shapes = ', '.join('x'.join(str(n) for n in x.shape[1:]) for x in maps)
            raise ValueError(
                f'{type(self.neck).__name__} cannot take the maps {shapes} (channels, '
                f'height, width) that {type(self.backbone).__name__} made of an image '
                f'of {height}x{width} pixels: use a larger input, or make in_channels '
                'of the neck fit the backbone.'
            ) from error


def drop_auxiliary(model: nn.Module) -> nn.Module:
    """Remove the auxiliary heads of all detectors in ``model``, for inference.

    Returns:
        ``model`` itself, changed in place.
    """
    for module in model.modules():
        if isinstance(module, M2Det):
            module.aux_levels = ()
            del module.aux_heads[:]
    return model


def _accepts(neck: nn.Module, maps: Sequence[Tensor]) -> bool:
    """Whether ``neck`` accepts maps with the shapes of ``maps``."""
    state = {name: x.to('meta') for name, x in neck.state_dict().items()}
    try:
        functional_call(neck, state, (tuple(x.to('meta') for x in maps),))
    except (AssertionError, IndexError, RuntimeError):
        return False
    return True


def _map_channels(neck: nn.Module, config: dict) -> list[int] | None:
    """Channels of each map of ``neck``, or ``None`` if they are not known."""
    # mmdet's SSDNeck has no such attribute.
    channels = getattr(neck, 'out_channels', config.get('out_channels'))
    if isinstance(channels, int):
        # mmdet's FPN family: as many maps of equal width.
        return [channels] * neck.num_outs if hasattr(neck, 'num_outs') else None
    return None if channels is None else list(channels)
