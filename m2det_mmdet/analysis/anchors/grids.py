"""Where the anchors of a detector stand: a grid for each scale and size of image."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import inf

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from ...models.task_modules import M2DetAnchorGenerator
from ...utils.configs import describe
from ...utils.errors import M2DetError, explain
from ..structure import structure_of
from .forms import Generator
from .heads import AnchorHead
from .objects import Objects


@dataclass(frozen=True)
class Grid:
    """The centres of a scale's anchors, for each size of image.

    All arrays are ``(S, 2)``, for x and y; pixels are those of the input. Centre ``i``
    of an axis is ``first + i * step``, but at most ``limit``.

    Attributes:
        first: The first centre.
        step: From one centre to the next.
        count: Number of centres.
        limit: Largest centre, and largest side of an anchor: where anchors are clipped
            it is the side of the image, else infinite.
        border: Sides of the image where anchors that cross its border by more than
            ``overhang`` are left out of training; else infinite.
        overhang: Pixels.
    """

    first: np.ndarray
    step: np.ndarray
    count: np.ndarray
    limit: np.ndarray
    border: np.ndarray
    overhang: float


def grids_of(cfg: Config, head: AnchorHead, objects: Objects) -> list[Grid]:
    """Return the grid of each scale.

    The sizes of the maps are those that the network makes, on the meta device.

    Raises:
        M2DetError: If the network does not build, or does not take images of these
            sizes, or makes other maps than there are scales.
    """
    padded = _padded(cfg, objects.images)
    cells = _map_sizes(cfg, padded)
    num_levels = head.generator.num_levels
    if len(cells) != num_levels:
        raise M2DetError(
            f'The anchor_generator of {describe(cfg)} has {num_levels} scales, but the '
            f'network makes {len(cells)} maps: make them agree.'
        )
    bounded = head.border >= 0
    unbounded = np.full(padded.shape, inf)
    limit = padded if getattr(head.generator, 'clip', False) else unbounded
    return [
        Grid(
            *_axes(head.generator, level, count, padded),
            count=count,
            limit=limit,
            border=objects.images if bounded else unbounded,
            overhang=head.border if bounded else 0,
        )
        for level, count in enumerate(cells)
    ]


def _axes(
    generator: Generator, level: int, cells: np.ndarray, pixels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return first centres and steps ``(S, 2)`` of a scale, for x and y.

    Args:
        generator: The anchor generator.
        level: Index of the scale.
        cells: Cells of its map by size of image, for x and y.
        pixels: Sides of the padded images, likewise.
    """
    if isinstance(generator, M2DetAnchorGenerator):
        pairs = zip(cells[:, ::-1].tolist(), pixels[:, ::-1].tolist(), strict=True)
        step = np.array(
            [generator.step(level, tuple(c), tuple(p))[::-1] for c, p in pairs]
        ).reshape(-1, 2)
        return step / 2, step
    first = generator.base_anchors[level][0].reshape(2, 2).mean(dim=0).tolist()
    step = generator.strides[level]
    return np.full(cells.shape, first), np.full(cells.shape, step, dtype=float)


def _padded(cfg: Config, images: np.ndarray) -> np.ndarray:
    """Sides of images as the network gets them."""
    preprocessor = cfg.model.get('data_preprocessor') or {}
    divisor = preprocessor.get('pad_size_divisor', 1)
    return np.ceil(images / divisor) * divisor


def _map_sizes(cfg: Config, images: np.ndarray) -> list[np.ndarray]:
    """Cells of each map by size of image, ``(S, 2)`` each, for x and y.

    Columns of a map follow from the width of an image, rows from its height: each is
    computed once.

    Args:
        cfg: The config.
        images: Sides of images ``(S, 2)``, for x and y.
    """
    model = structure_of(cfg).eval()
    widths, heights = (sorted(set(images[:, axis].astype(int))) for axis in (0, 1))
    # Shorter lists are filled with what is known to be a size.
    columns, rows = {}, {}
    for width, height in zip_longest(widths, heights):
        width, height = width or widths[-1], height or heights[-1]
        image = torch.empty(1, 3, height, width, device='meta')
        try:
            with torch.no_grad():
                maps = _maps(model.extract_feat(image))
        except Exception as error:
            raise M2DetError(
                f'The network of {describe(cfg)} does not take an image of '
                f'{width}x{height} pixels: {explain(error)}'
            ) from error
        columns[width] = [x.shape[-1] for x in maps]
        rows[height] = [x.shape[-2] for x in maps]
    return [
        np.array([(columns[w][level], rows[h][level]) for w, h in images])
        for level in range(len(maps))
    ]


def _maps(features: Sequence) -> Sequence[Tensor]:
    """Return the maps of a detector; RefineDet's come with its first head's outputs."""
    return features if isinstance(features[0], Tensor) else features[0]
