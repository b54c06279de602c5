"""M2Det, the detector."""

from mmdet.models.detectors import SingleStageDetector
from mmdet.registry import MODELS
from torch import nn

Config = dict | None


@MODELS.register_module()
class M2Det(SingleStageDetector):
    """A single-stage detector whose head follows its neck.

    `M2Det <https://arxiv.org/abs/1811.04533>`_, or any neck under
    :class:`~m2det_mmdet.dense_heads.M2DetHead`. It differs from
    :class:`mmdet.models.SingleStageDetector` in that ``in_channels`` of the head
    comes from the neck where the config does not give it, and that a head which
    does not fit its neck fails here instead of at the first image.

    Args:
        backbone: Config of the backbone.
        neck: Config of the neck, if there is one.
        bbox_head: Config of the dense head.
        train_cfg: Training config of the head.
        test_cfg: Test config of the head.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: Initialization config.

    Raises:
        ValueError: If the neck's maps are not those that the head expects.
    """

    def __init__(
        self,
        backbone: dict,
        neck: Config = None,
        bbox_head: Config = None,
        train_cfg: Config = None,
        test_cfg: Config = None,
        data_preprocessor: Config = None,
        init_cfg: Config = None,
    ) -> None:
        # The parent would build the head before the neck's channels are known.
        super(SingleStageDetector, self).__init__(
            data_preprocessor=data_preprocessor, init_cfg=init_cfg
        )
        self.backbone = MODELS.build(backbone)
        channels = None
        if neck is not None:
            self.neck = MODELS.build(neck)
            channels = _map_channels(self.neck)
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


def _map_channels(neck: nn.Module) -> list[int] | None:
    """Channels of each map of ``neck``, or ``None`` where it does not tell."""
    channels = getattr(neck, 'out_channels', None)
    if isinstance(channels, int):
        # mmdet's FPN family: as many maps of equal width.
        return [channels] * neck.num_outs if hasattr(neck, 'num_outs') else None
    return None if channels is None else list(channels)
