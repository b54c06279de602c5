"""Anchors of this package's generators and of MMDetection's."""

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.task_modules import AnchorGenerator
from mmdet.structures.bbox import get_box_tensor
from torch import Tensor

from .strides import Size, stride_fits

# Sizes of images that the cache holds.
_CACHE_SIZE = 8


def grid_priors(
    generator: Any,
    featmap_sizes: Sequence[Size],
    image_size: Size,
    dtype: torch.dtype,
    device: torch.device | str,
) -> list[Tensor]:
    """Generate the anchors of all scales for an image.

    A generator of MMDetection does not get the image size, so its strides must be
    those of the maps. :class:`.M2DetAnchorGenerator` follows the maps.

    Args:
        generator: An anchor generator of this package, or one derived from
            :class:`mmdet.models.task_modules.AnchorGenerator`.
        featmap_sizes: Cells ``(height, width)`` of each scale's map.
        image_size: Pixels ``(height, width)`` of the network's input.
        dtype: Type of the anchors.
        device: Device of the anchors.

    Returns:
        For each scale ``(height * width * shapes, 4)``: xyxy, input pixels.

    Raises:
        ValueError: If a stride of MMDetection's generator does not fit its map (see
            :func:`.stride_fits`).
    """
    if not isinstance(generator, AnchorGenerator):
        return generator.grid_priors(
            featmap_sizes, dtype, device, image_size=image_size
        )
    for scale, (stride, cells) in enumerate(
        zip(generator.strides, featmap_sizes, strict=True)
    ):
        # (horizontal, vertical) in mmdet.
        stride = stride[::-1]
        if not stride_fits(image_size, stride, cells):
            raise ValueError(
                f'The anchor generator has a stride of {_product(stride)} pixels at '
                f'scale {scale}, whose map has {_product(cells)} cells for an input '
                f'of {_product(image_size)} pixels: make anchor_generator.strides '
                'those of the neck, or use M2DetAnchorGenerator, which follows the '
                'maps.'
            )
    priors = generator.grid_priors(featmap_sizes, dtype, device)
    return [get_box_tensor(boxes) for boxes in priors]


class PriorCache:
    """The anchors of the last few sizes of images."""

    def __init__(self) -> None:
        self._priors: dict[tuple, list[Tensor]] = {}

    def get(
        self,
        generator: Any,
        featmap_sizes: Sequence[Size],
        image_size: Size,
        dtype: torch.dtype,
        device: torch.device | str,
    ) -> list[Tensor]:
        """Return the result of :func:`grid_priors`, in a new list."""
        if torch.compiler.is_exporting():
            # Tensors of a trace are none outside of it.
            return grid_priors(generator, featmap_sizes, image_size, dtype, device)
        key = (generator, tuple(featmap_sizes), image_size, dtype, str(device))
        priors = self._priors.get(key)
        if priors is None:
            # A training step may use them after an inference.
            with torch.inference_mode(False):
                priors = grid_priors(
                    generator, featmap_sizes, image_size, dtype, device
                )
            if len(self._priors) >= _CACHE_SIZE:
                self._priors.clear()
            self._priors[key] = priors
        return list(priors)


def valid_flags(
    featmap_sizes: Sequence[Size],
    num_base_priors: Sequence[int],
    image_size: Size,
    padded_size: Size,
    device: torch.device | str,
) -> list[Tensor]:
    """Return which anchors are in cells that contain pixels of an image.

    A cell of the last row or column may lie partly outside the image, and the centre of
    its anchors too, as at scale 2 of SSD300. It counts if it is not only padding.

    Args:
        featmap_sizes: Cells ``(height, width)`` of each scale's map.
        num_base_priors: Anchors in a cell of each scale.
        image_size: Pixels ``(height, width)`` of the image.
        padded_size: Pixels ``(height, width)`` of the padded batch.
        device: Device of the flags.

    Returns:
        For each scale ``(height * width * shapes,)``.
    """
    flags = []
    for cells, shapes in zip(featmap_sizes, num_base_priors, strict=True):
        rows, columns = (
            torch.arange(count, device=device) * padded < pixels * count
            for count, pixels, padded in zip(
                cells, image_size, padded_size, strict=True
            )
        )
        flags.append((rows[:, None] & columns).flatten().repeat_interleave(shapes))
    return flags


def _product(sides: Sequence[int]) -> str:
    return 'x'.join(str(side) for side in sides)
