"""What a graph is to do, from a detector's config and the caller's wishes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mmdet.models.detectors import SingleStageDetector
from mmdet.models.necks import NASFPN
from mmengine.config import Config

from ..models.utils.suppression import check_suppression, suppression_options
from ..utils.pipelines import kind_of, resize_of, scale_of, transforms_of_dataset
from .decoding import decoder_of
from .errors import ExportError
from .graph import Suppression
from .metadata import Preparation

# What --nms takes, beside the config's own.
NMS = ('soft', 'hard', 'none')
DYNAMIC = 'dynamic'
Size = tuple[int, int]


@dataclass(frozen=True)
class Plan:
    """What a graph is to do.

    Attributes:
        size: Pixels ``(height, width)`` of its input; ``None``: any.
        example: A size to try it with.
        batch: Images at a time; ``None``: any number.
        preparation: From an image to its input.
        suppression: How boxes are selected; ``None``: all are returned.
    """

    size: Size | None
    example: Size
    batch: int | None
    preparation: Preparation
    suppression: Suppression | None


def plan_graph(
    cfg: Config,
    model: SingleStageDetector,
    *,
    nms: str | None = None,
    batch: int | str = DYNAMIC,
    size: Size | str | None = None,
    inside: bool = False,
) -> Plan:
    """Decide what a graph is to do.

    Args:
        cfg: The detector's config.
        model: The detector.
        nms: ``soft``, ``hard`` or ``none``; as in the config by default.
        batch: Images at a time, or ``'dynamic'``.
        size: Pixels ``(height, width)`` of the network's input, or ``'dynamic'``; by
            default that of the config, and any size where it keeps the ratio of sides.
        inside: Whether the graph prepares the images itself.

    Raises:
        ExportError: One sentence on what does not fit.
    """
    # A two-stage detector has no `bbox_head`.
    decoder_of(model)
    own = _own_size(cfg)
    preparation = _preparation(cfg, model, own, inside=inside)
    if batch != DYNAMIC and (type(batch) is not int or batch < 1):
        raise ExportError(f'batch must be a number from 1 or dynamic, got {batch!r}.')
    if size is None:
        size = DYNAMIC if preparation.keep_ratio else own
    if size == DYNAMIC and inside:
        raise ExportError(
            'A graph that resizes its images needs the size to resize them to: give '
            'size, or leave preprocess out.'
        )
    if size != DYNAMIC:
        size = _checked(size)
        preparation = replace(preparation, resize=size)
    fixed = None if size == DYNAMIC else size
    if fixed is None and any(isinstance(x, NASFPN) for x in model.modules()):
        raise ExportError(
            'NASFPN fixes the ratio of its maps in a graph: give the size of the '
            f'input, such as {own}.'
        )
    return Plan(
        size=fixed,
        example=fixed or own,
        batch=None if batch == DYNAMIC else batch,
        preparation=preparation,
        suppression=suppression_of(dict(model.bbox_head.test_cfg or {}), nms),
    )


def suppression_of(test_cfg: Mapping[str, Any], nms: str | None) -> Suppression | None:
    """Return how boxes are selected, from a head's ``test_cfg``.

    Args:
        test_cfg: Of the head.
        nms: ``soft``, ``hard`` or ``none``; ``None``: as ``test_cfg`` says.

    Raises:
        ExportError: If ``nms`` is another word, or a graph has no such suppression.
    """
    if nms not in (None, *NMS):
        raise ExportError(f'nms must be one of {", ".join(NMS)}, got {nms!r}.')
    own = dict(test_cfg.get('nms') or {})
    # From how many boxes on mmcv works class by class: the boxes that remain are equal.
    own.pop('split_thr', None)
    if nms == 'none' or (nms is None and not own):
        return None
    wanted = {'soft': 'soft_nms', 'hard': 'nms'}.get(nms, own.get('type'))
    if own.get('type') != wanted:
        threshold = own.get('iou_threshold', 0.5 if wanted == 'nms' else 0.3)
        kept = {x: own[x] for x in ('offset', 'class_agnostic') if x in own}
        own = {'type': wanted, 'iou_threshold': threshold, **kept}
    try:
        check_suppression({**test_cfg, 'nms': own})
    except ValueError as error:
        raise ExportError(f'test_cfg of the head: {error}') from error
    options = suppression_options(own)
    return Suppression(
        score_thr=test_cfg.get('score_thr', 0),
        max_per_img=test_cfg.get('max_per_img', -1),
        nms_pre=test_cfg.get('nms_pre', -1),
        nms_pre_per_class=test_cfg.get('nms_pre_per_class', -1),
        class_agnostic=options.pop('class_agnostic', False),
        options=options,
        min_bbox_size=test_cfg.get('min_bbox_size', -1),
    )


def _preparation(
    cfg: Config, model: SingleStageDetector, resize: Size, *, inside: bool
) -> Preparation:
    processor = model.data_preprocessor
    has_pixels = hasattr(processor, 'mean')
    mean, std = (
        tuple(float(x) for x in getattr(processor, key).flatten())
        if has_pixels
        else (other,) * 3
        for key, other in (('mean', 0.0), ('std', 1.0))
    )
    return Preparation(
        mean=mean,
        std=std,
        resize=resize,
        rgb=bool(processor._channel_conversion),
        keep_ratio=bool(resize_of(cfg).get('keep_ratio', False)),
        pad_divisor=_divisor(cfg, processor),
        pad_value=float(processor.pad_value),
        inside=inside,
    )


def _divisor(cfg: Config, processor: Any) -> int:
    """Return what the sides of a padded batch are multiples of."""
    dataset = cfg.test_dataloader.dataset
    pads = [x for x in transforms_of_dataset(dataset) if kind_of(x) == 'Pad']
    own = [x.get('size_divisor') or 1 for x in pads]
    return max([int(processor.pad_size_divisor), *own])


def _own_size(cfg: Config) -> Size:
    """Return the pixels ``(height, width)`` that a config resizes its images to.

    Raises:
        ExportError: If it resizes none.
    """
    resize = resize_of(cfg)
    if resize is None:
        raise ExportError(
            'The test pipeline of the config has no Resize, so that the size of the '
            'images is unknown: add one.'
        )
    width, height = scale_of(resize)
    return height, width


def _checked(size: Any) -> Size:
    sides = tuple(size) if isinstance(size, list | tuple) else ()
    if len(sides) != 2 or not all(type(x) is int and x > 0 for x in sides):
        raise ExportError(
            f'size must be a height and a width in pixels, or dynamic, got {size!r}.'
        )
    return sides
