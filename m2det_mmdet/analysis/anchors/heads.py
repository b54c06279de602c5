"""The head of a config whose anchors are matched with objects."""

from typing import Any, NamedTuple

from mmdet.registry import TASK_UTILS
from mmengine.config import Config

from ...utils.configs import describe
from ...utils.errors import M2DetError, explain
from .forms import FORMS, Generator

# In the place of allowed_border: anchors may cross the border of an image.
NO_BORDER = -1
_HEADS = ('bbox_head', 'rpn_head')
_ASSIGNER = 'MaxIoUAssigner'


class AnchorHead(NamedTuple):
    """The head of a detector that has anchors.

    Attributes:
        name: Its key in the model: ``bbox_head`` or ``rpn_head``.
        settings: Those of its anchor generator.
        generator: The anchor generator.
        iou_thr: IoU from which an anchor is a positive of an object.
        border: How many pixels an anchor may cross the border of an image to be used
            in training, ``allowed_border``; negative for any number.
    """

    name: str
    settings: dict[str, Any]
    generator: Generator
    iou_thr: float
    border: float


class NothingToFit(M2DetError):
    """There are no anchors that are matched by their IoU, or no objects."""


def find_head(cfg: Config) -> AnchorHead:
    """Find the head whose anchors are matched with objects.

    Of a two-stage detector it is the RPN's. RefineDet's two heads share their anchors.

    Raises:
        NothingToFit: If there is none, its anchors are of a type that is not known
            here, or it does not match them by a threshold of IoU.
        M2DetError: If the anchor generator does not build.
    """
    model = cfg.get('model') or {}
    for name in _HEADS:
        head = model.get(name)
        settings = head.get('anchor_generator') if isinstance(head, dict) else None
        if settings is not None:
            break
    else:
        raise NothingToFit(
            f'{describe(cfg)} has no anchors: neither model.bbox_head nor '
            'model.rpn_head has an anchor_generator; give the config of a detector '
            'that has, as m2det_vgg_320.'
        )
    assigner, border = _training(cfg, name)
    generator = build_generator(settings)
    if type(generator) not in FORMS:
        known = ', '.join(kind.__name__ for kind in FORMS)
        raise NothingToFit(
            f'The anchors of {describe(cfg)} come from {type(generator).__name__}, '
            f'which is not known here: give a config with {known}.'
        )
    return AnchorHead(
        name, dict(settings), generator, float(assigner['pos_iou_thr']), border
    )


def build_generator(settings: dict[str, Any]) -> Any:
    """Build an anchor generator.

    Raises:
        M2DetError: If it does not build.
    """
    try:
        return TASK_UTILS.build(dict(settings))
    except Exception as error:
        raise M2DetError(
            f'The anchor_generator does not build: {explain(error)}'
        ) from error


def _training(cfg: Config, head: str) -> tuple[dict[str, Any], float]:
    """Return how a head matches its anchors: its assigner and ``allowed_border``."""
    settings = cfg.model.get('train_cfg') or {}
    if head == 'rpn_head':
        settings = settings.get('rpn') or {}
    # That of a cascaded RPN is a list.
    assigner = settings.get('assigner') if isinstance(settings, dict) else None
    kind = (assigner or {}).get('type')
    if kind != _ASSIGNER:
        found = 'has no assigner' if kind is None else f'matches by {kind}'
        raise NothingToFit(
            f'The {head} of {describe(cfg)} {found}, so that no IoU decides which '
            f'anchor learns an object: give a config with {_ASSIGNER}.'
        )
    return assigner, settings.get('allowed_border', NO_BORDER)
