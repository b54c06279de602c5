"""Anchors of M2Det: sizes as fractions of the input, steps in pixels."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from torch import Tensor

from ...utils.symbolic import is_symbolic
from .strides import Size, Stride, stride_fits


@TASK_UTILS.register_module()
class M2DetAnchorGenerator:
    """Generate M2Det's anchors.

    Scale ``i`` has, in each cell and in this order, a square of side ``s_i``, a
    square of side ``sqrt(s_i * s_(i+1))``, and for each ratio ``r`` a box of
    ``s_i * sqrt(r)`` by ``s_i / sqrt(r)`` and its transpose; ``s_i`` is
    ``sizes[i] * input_size``. Rows come before columns, columns before shapes.
    Centres are ``((x + 0.5) * step, (y + 0.5) * step)``.

    The pixel sizes of the anchors follow from ``input_size``. For an image of another
    size they stay the same, and the grid of centres follows the image: it is stretched
    over it, or grows with it where ``fixed_steps`` says so.

    Args:
        input_size: Side of the training image, in pixels.
        sizes: Fractions of ``input_size``; one more than there are scales.
        steps: Pixels between the centres of each scale at ``input_size``. With
            ``None``, or for an image of another size, a step is the image's side
            divided by the cells of the map.
        fixed_steps: Whether ``steps`` are those of images of any size. Maps of
            convolutions that all have padding grow with the image, and their cells
            stay as far apart: an object of the same size lies at the same place of
            its cell in images of all sizes. Without it batches of changing size and
            a multi-scale test find large objects at shifted places.
        ratios: Ratios of width and height; each gives two boxes. One sequence for
            all scales, or one for each. Empty for squares only.
        clip: Whether to clip ``(cx, cy, w, h)`` to the image, as the authors'
            release does. This narrows the wide anchors of the last scales.

    Raises:
        ValueError: If the lengths of ``sizes``, ``steps`` and ``ratios`` do not fit,
            or ``fixed_steps`` has no steps.
    """

    # For messages: the name of the argument, and further advice.
    _NAME = 'steps'
    _ADVICE = ', or steps=None to follow the maps'

    def __init__(
        self,
        input_size: int,
        sizes: Sequence[float],
        *,
        steps: Sequence[float] | None = None,
        fixed_steps: bool = False,
        ratios: Sequence[float] | Sequence[Sequence[float]] = (2, 3),
        clip: bool = False,
    ) -> None:
        num_scales = len(sizes) - 1
        if not ratios or not isinstance(ratios[0], Sequence):
            ratios = [ratios] * num_scales
        if num_scales < 1 or len(ratios) != num_scales:
            raise ValueError(
                'sizes needs one entry more than there are scales, and ratios one '
                f'sequence for all scales or one for each, got {len(sizes)} sizes '
                f'and {len(ratios)} sequences of ratios.'
            )
        if steps is not None and len(steps) != num_scales:
            raise ValueError(
                f'steps needs one entry for each of the {num_scales} scales that '
                f'the {len(sizes)} sizes make, got {len(steps)}: {list(steps)}.'
            )
        if fixed_steps and steps is None:
            raise ValueError(
                'fixed_steps=True needs steps, the pixels between the centres of each '
                'scale: give them, or leave fixed_steps out.'
            )
        self.input_size = input_size
        self.steps = steps
        self.fixed_steps = fixed_steps
        self.clip = clip
        self.shapes = [
            self._shapes(small * input_size, large * input_size, scale_ratios)
            for (small, large), scale_ratios in zip(
                pairwise(sizes), ratios, strict=True
            )
        ]

    @property
    def num_levels(self) -> int:
        """Number of scales."""
        return len(self.shapes)

    @property
    def num_base_priors(self) -> list[int]:
        """Number of anchors in a cell of each scale."""
        return [len(shapes) for shapes in self.shapes]

    def grid_priors(
        self,
        featmap_sizes: Sequence[Size],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = 'cuda',
        *,
        image_size: Size | None = None,
    ) -> list[Tensor]:
        """Generate the anchors of all scales.

        Args:
            featmap_sizes: Cells ``(height, width)`` of each scale's map.
            dtype: Type of the anchors; computed in float32 or better.
            device: Device of the anchors.
            image_size: Pixels ``(height, width)`` of the network's input;
                ``None``: a square of ``input_size``.

        Returns:
            For each scale ``(height * width * shapes, 4)``: xyxy, input pixels.

        Raises:
            ValueError: If the number of maps is not the number of scales, or the given
                steps do not fit the maps (see :func:`.stride_fits`).
        """
        if len(featmap_sizes) != self.num_levels:
            raise ValueError(
                f'The anchor generator has {self.num_levels} scales and got '
                f'{len(featmap_sizes)} feature maps: give sizes one entry more than '
                'the neck has scales.'
            )
        image_size = tuple(image_size or (self.input_size, self.input_size))
        if not is_symbolic(image_size) and self.has_steps(image_size):
            self._check_steps(featmap_sizes, image_size)
        # Half precision cannot hold the coordinates of a large image.
        kind = {'dtype': torch.promote_types(dtype, torch.float32), 'device': device}
        priors = []
        for level, map_size in enumerate(featmap_sizes):
            centres = self._centres(level, map_size, image_size, kind)
            shapes = torch.tensor(self.shapes[level], **kind)
            boxes = torch.cat(
                [
                    centres[:, None].expand(-1, len(shapes), -1),
                    shapes.expand(centres.shape[0], -1, -1),
                ],
                dim=-1,
            ).reshape(-1, 4)
            if self.clip:
                height, width = (torch.full((), side, **kind) for side in image_size)
                limit = torch.stack([width, height] * 2)
                boxes = boxes.clamp(min=0).minimum(limit)
            priors.append(bbox_cxcywh_to_xyxy(boxes).to(dtype))
        return priors

    def step(self, level: int, map_size: Size, image_size: Size) -> Stride:
        """Return vertical and horizontal pixels between the centres of a scale.

        The first centre lies half a step from the border.

        Args:
            level: Index of the scale.
            map_size: Cells ``(height, width)`` of its map.
            image_size: Pixels ``(height, width)`` of the network's input.
        """
        if self.has_steps(image_size):
            return self.steps[level], self.steps[level]
        height, width = image_size
        return height / map_size[0], width / map_size[1]

    def has_steps(self, image_size: Size) -> bool:
        """Whether the given steps are used for an image of this size, pixels."""
        is_own = self.fixed_steps or image_size == (self.input_size,) * 2
        return self.steps is not None and is_own

    @staticmethod
    def _shapes(
        small: float, large: float, ratios: Sequence[float]
    ) -> list[tuple[float, float]]:
        """Return ``(width, height)`` in pixels of all anchors in a cell."""
        middle = math.sqrt(small * large)
        boxes = [(small, small), (middle, middle)]
        for ratio in ratios:
            root = math.sqrt(ratio)
            boxes += [(small * root, small / root), (small / root, small * root)]
        return boxes

    def _centres(
        self, level: int, map_size: Size, image_size: Size, kind: dict
    ) -> Tensor:
        """Return the centres ``(x, y)`` of a scale's cells, row by row."""
        if is_symbolic(image_size) and not self.fixed_steps:
            step_y, step_x = self._traced_step(level, map_size, image_size, kind)
        else:
            step_y, step_x = self.step(level, map_size, image_size)
        height, width = map_size
        y = (torch.arange(height, **kind) + 0.5) * step_y
        x = (torch.arange(width, **kind) + 0.5) * step_x
        return torch.cartesian_prod(y, x).reshape(-1, 2).flip(-1)

    def _traced_step(
        self, level: int, map_size: Size, image_size: Size, kind: dict
    ) -> tuple[Tensor, Tensor]:
        """Return :meth:`step` for a size that is known in an exported graph only."""
        sides = [torch.full((), side, **kind) for side in image_size]
        steps = [side / cells for side, cells in zip(sides, map_size, strict=True)]
        if self.steps is None:
            return tuple(steps)
        own = torch.full((), self.steps[level], **kind)
        is_own = (sides[0] == self.input_size) & (sides[1] == self.input_size)
        return tuple(torch.where(is_own, own, step) for step in steps)

    def _check_steps(self, featmap_sizes: Sequence[Size], image_size: Size) -> None:
        """Raise if a step does not fit its map; the steps of releases are rounded."""
        pairs = zip(self.steps, featmap_sizes, strict=True)
        if all(stride_fits(image_size, (step, step), cells) for step, cells in pairs):
            return
        strides = [round(max(image_size) / max(cells), 1) for cells in featmap_sizes]
        height, width = image_size
        raise ValueError(
            f'The anchor generator has {self._NAME}={list(self.steps)}, but the maps '
            f'of an image of {height}x{width} pixels have strides of {strides}: give '
            f'these{self._ADVICE}.'
        )

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(input_size={self.input_size}, '
            f'num_levels={self.num_levels}, steps={self.steps}, '
            f'fixed_steps={self.fixed_steps}, clip={self.clip}, '
            f'num_base_priors={self.num_base_priors})'
        )
