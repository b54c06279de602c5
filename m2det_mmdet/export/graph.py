"""A detector as one graph: images in, boxes out."""

from typing import Any, NamedTuple

import torch
from mmdet.models.detectors import SingleStageDetector
from torch import Tensor, nn

from ..models.utils.suppression import strongest, strongest_of_classes
from ..ops.traced_soft_nms import traced_soft_nms
from .decoding import Decoded, decoder_of, num_ranks

Size = tuple[int, int]
# Outputs of a graph: of all anchors, and those that are selected.
RAW = ('all_boxes', 'all_scores')
DETECTIONS = ('boxes', 'scores', 'labels')
# What the names of further outputs begin with, one a level: see `Decoded.ranks`.
RANKS = 'all_ranks_'
# Below every score.
_NO_THRESHOLD = -1.0


class Suppression(NamedTuple):
    """How a graph selects its boxes.

    Attributes:
        score_thr: A box takes part in those classes where its score is higher.
        max_per_img: Boxes of an image that remain; -1: no limit.
        nms_pre: Best scores of an image that take part; -1: all. With a head of
            MMDetection: of each level.
        nms_pre_per_class: The same for each class.
        class_agnostic: Whether boxes of different classes act on each other.
        options: Those of :func:`.traced_soft_nms`.
        min_bbox_size: With a head of MMDetection only: boxes whose width or height is
            not larger, in pixels, take no part; -1: all do.
    """

    score_thr: float
    max_per_img: int
    nms_pre: int
    nms_pre_per_class: int
    class_agnostic: bool
    options: dict[str, Any]
    min_bbox_size: float = -1


class DetectionGraph(nn.Module):
    """Runs a detector without anything but tensors, so that it can be exported.

    Args:
        model: A single-stage detector in eval mode. Its weights are shared.
        suppression: How boxes are selected; ``None`` returns those of all anchors.
        prepare: What is done to the images first; nothing by default.
        everything: Whether to return the boxes of all anchors, too.

    Attributes:
        names: Those of its outputs.

    Shape:
        - Input: the network's input ``(N, 3, H, W)``; with ``prepare`` images
          ``(N, H, W, 3)``.
        - Output: boxes ``(N, K, 4)``, xyxy in pixels of the input; scores ``(N, K)``,
          descending; labels ``(N, K)``. An image with fewer boxes has rows of 0 and
          labels of -1 at the end. With ``everything`` then the boxes ``(N, A, 4)`` and
          scores ``(N, A, C)`` of all anchors and, of a head that has some, the
          :attr:`.Decoded.ranks`; without suppression the boxes and scores alone.

    Raises:
        ExportError: If the detector is of a kind that has no such graph.
    """

    def __init__(
        self,
        model: SingleStageDetector,
        suppression: Suppression | None,
        prepare: nn.Module | None = None,
        *,
        everything: bool = False,
    ) -> None:
        super().__init__()
        self._decode = decoder_of(model)
        self.model = model
        self.suppression = suppression
        self.prepare = prepare
        self.names = DETECTIONS if suppression is not None else ()
        if everything or suppression is None:
            self.names += RAW
        if everything and suppression is not None:
            self.names += tuple(f'{RANKS}{i}' for i in range(num_ranks(model)))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Find objects; see the class."""
        inputs = images if self.prepare is None else self.prepare(images)
        outputs = self.model.bbox_head(self.model.extract_feat(inputs))
        size = tuple(inputs.shape[-2:])
        decoded = self._decode(outputs, size)
        if self.prepare is not None:
            growth = _growth(size, images.shape[1:3], decoded.boxes)
            decoded = decoded._replace(boxes=decoded.boxes * growth)
        if self.suppression is None:
            return decoded.boxes, decoded.scores
        found = suppressed(decoded, self.suppression)
        all_ = (decoded.boxes, decoded.scores, *(decoded.ranks or ()))
        return (*found, *all_) if len(self.names) > len(found) else found


def suppressed(found: Decoded, how: Suppression) -> tuple[Tensor, Tensor, Tensor]:
    """Select the boxes of each image, within a graph.

    Args:
        found: The boxes and scores of all anchors.
        how: The options.

    Returns:
        What :class:`DetectionGraph` returns.
    """
    scores, threshold = candidates(found, how)
    return traced_soft_nms(
        found.boxes,
        scores,
        score_thr=threshold,
        class_agnostic=how.class_agnostic,
        max_num=how.max_per_img,
        **how.options,
    )


def candidates(found: Decoded, how: Suppression) -> tuple[Tensor, float]:
    """Return the scores that take part in the suppression.

    With a head of MMDetection the threshold and the limit of each level hold for the
    scores before centerness or the like, as in its own code.

    Returns:
        ``(N, A, C)``, minus infinity for those that take no part, and the threshold
        that still holds for them.
    """
    if found.ranks is None:
        scores = strongest_of_classes(found.scores, how.nms_pre_per_class)
        return strongest(scores, how.nms_pre), how.score_thr
    ranks = torch.cat([strongest(x, how.nms_pre) for x in found.ranks], dim=1)
    takes_part = ranks > how.score_thr
    if how.min_bbox_size >= 0:
        sides = found.boxes[..., 2:] - found.boxes[..., :2]
        takes_part &= (sides > how.min_bbox_size).all(2, keepdim=True)
    return found.scores.masked_fill(~takes_part, -torch.inf), _NO_THRESHOLD


def _growth(size: Size, original: Size, like: Tensor) -> Tensor:
    """Return what corners are multiplied by, from input pixels to those of an image."""
    height, width = (
        like.new_full((), other) / side
        for side, other in zip(size, original, strict=True)
    )
    return torch.stack([width, height] * 2)


def output_names(count: int) -> tuple[str, ...]:
    """Return the names of so many outputs of a graph, which not all formats keep."""
    if count == len(RAW):
        return RAW
    ranks = (f'{RANKS}{i}' for i in range(count))
    return (*DETECTIONS, *RAW, *ranks)[:count]
