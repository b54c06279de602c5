"""RoIAlign, forward and backward.

Source: `Mask R-CNN <https://arxiv.org/abs/1703.06870>`_, with mmcv's conventions. Each
output is a weighted sum of a few cells of the feature map. Forward and backward are
therefore one weighted gather (``embedding_bag``) over a table with a row for each cell.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

# Most corners of samples, and sampled values (max pooling), in memory at a time.
_MAX_CORNERS = 1 << 22
_MAX_VALUES = 1 << 24
# mmcv's result of max pooling for an RoI without a sample.
_EMPTY_MAX = -10000.0


@dataclass(frozen=True)
class RoIGrid:
    """How an RoI is divided into bins, and a bin into samples.

    Attributes:
        output_size: Bins ``(height, width)`` of each RoI.
        spatial_scale: Cells of the feature map per input pixel.
        sampling_ratio: Samples per bin along each axis; 0 for about one per cell.
        aligned: Shift by half a cell, so that cell centres are at ``i + 0.5``. If
            not, RoIs are at least one cell wide and high.
    """

    output_size: tuple[int, int]
    spatial_scale: float = 1.0
    sampling_ratio: int = 0
    aligned: bool = True


@dataclass(frozen=True)
class _Samples:
    """Samples of some RoIs; ``P, Q`` bins with ``R, S`` samples each.

    Attributes:
        rois: Which RoIs, ``(k,)``.
        y: Rows in cells, ``(k, P, R)``.
        x: Columns in cells, ``(k, Q, S)``.
        cells: Rows of the table, ``(k, P, Q, R, S, 4)``.
        weights: Bilinear weights of these, of the same shape; 0 outside the map.
    """

    rois: Tensor
    y: Tensor
    x: Tensor
    cells: Tensor
    weights: Tensor


def roi_align_forward(
    features: Tensor, rois: Tensor, grid: RoIGrid, *, pool_mode: str = 'avg'
) -> tuple[Tensor, Tensor, Tensor]:
    """Pool a fixed number of bins from each region of a feature map.

    Args:
        features: Feature maps of the batch.
        rois: Rows ``batch index, x1, y1, x2, y2`` in input pixels.
        grid: Bins and samples.
        pool_mode: ``avg`` or ``max`` over the samples of a bin.

    Shape:
        - features: ``(N, C, H, W)``; rois: ``(K, 5)``.
        - Output: ``(K, C, P, Q)``, the bins; then, for ``max``, the rows and the
          columns (in cells) of the largest samples, of the same shape, -1 if a bin
          has no sample; for ``avg`` two empty tensors.

    Raises:
        ValueError: If ``pool_mode`` is unknown.
    """
    if pool_mode == 'avg':
        return _avg_forward(features, rois, grid), *features.new_zeros(2, 0)
    if pool_mode == 'max':
        return _max_forward(features, rois, grid)
    raise ValueError(f"pool_mode must be 'avg' or 'max', got {pool_mode!r}.")


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grid: RoIGrid,
    *,
    input_shape: tuple[int, ...],
    pool_mode: str = 'avg',
) -> Tensor:
    """Gradient of the feature maps; RoIs receive none.

    Args:
        grad_output: Gradient of the bins.
        rois: As for :func:`roi_align_forward`.
        argmax_y: Second output of the forward function.
        argmax_x: Third output of the forward function.
        grid: As for :func:`roi_align_forward`.
        input_shape: ``(N, C, H, W)`` of the feature maps.
        pool_mode: As for :func:`roi_align_forward`.

    Shape:
        - grad_output: ``(K, C, P, Q)``.
        - Output: ``input_shape``.
    """
    if pool_mode == 'max':
        return _max_backward(grad_output, rois, argmax_y, argmax_x, input_shape)
    return _avg_backward(grad_output, rois, grid, input_shape)


def _avg_forward(features: Tensor, rois: Tensor, grid: RoIGrid) -> Tensor:
    table = _to_table(features)
    output = features.new_zeros(len(rois), features.size(1), *grid.output_size)
    for samples in _sample(rois, features.shape, grid, limit=_MAX_CORNERS):
        cells, weights = samples.cells.flatten(3), samples.weights.flatten(3)
        bins = F.embedding_bag(
            cells.flatten(0, 2),
            table,
            per_sample_weights=weights.flatten(0, 2).to(table) / (cells.size(3) / 4),
            mode='sum',
        )
        bins = bins.view(*cells.shape[:3], -1).permute(0, 3, 1, 2)
        output[samples.rois] = bins.to(output)
    return output


def _avg_backward(
    grad_output: Tensor, rois: Tensor, grid: RoIGrid, input_shape: tuple[int, ...]
) -> Tensor:
    num_images, channels, height, width = input_shape
    num_bins = grid.output_size[0] * grid.output_size[1]
    grad_rows = _to_table(grad_output).view(len(rois), num_bins, channels)
    grad = grad_rows.new_zeros(num_images * height * width, channels)
    for samples in _sample(rois, input_shape, grid, limit=_MAX_CORNERS):
        # The forward gather transposed: a bag for each cell, with the bins that use it.
        cells, order = samples.cells.flatten().sort()
        cells, counts = cells.unique_consecutive(return_counts=True)
        corners_per_bin = samples.cells[0, 0, 0].numel()
        weights = samples.weights.flatten()[order] / (corners_per_bin / 4)
        bags = F.embedding_bag(
            order // corners_per_bin,
            grad_rows[samples.rois].flatten(0, 1),
            counts.cumsum(0) - counts,
            per_sample_weights=weights.to(grad),
            mode='sum',
        )
        grad.index_add_(0, cells, bags)
    grad = grad.view(num_images, height, width, channels).permute(0, 3, 1, 2)
    return grad.to(grad_output.dtype)


def _max_forward(
    features: Tensor, rois: Tensor, grid: RoIGrid
) -> tuple[Tensor, Tensor, Tensor]:
    table = _to_table(features)
    channels = features.size(1)
    shape = (len(rois), channels, *grid.output_size)
    output = features.new_full(shape, _EMPTY_MAX)
    argmax_y, argmax_x = features.new_full((2, *shape), -1)
    limit = 4 * _MAX_VALUES // max(1, channels)
    for samples in _sample(rois, features.shape, grid, limit=limit):
        values = F.embedding_bag(
            samples.cells.flatten(0, 4),
            table,
            per_sample_weights=samples.weights.flatten(0, 4).to(table),
            mode='sum',
        )
        k, p, q, r, s, _ = samples.cells.shape
        best, index = values.view(k, p, q, r * s, channels).max(3)
        output[samples.rois] = best.permute(0, 3, 1, 2).to(output)
        index = index.permute(0, 3, 1, 2)
        y = samples.y[:, None, :, None, :].expand(k, channels, p, q, r)
        x = samples.x[:, None, None, :, :].expand(k, channels, p, q, s)
        row, column = (index // s)[..., None], (index % s)[..., None]
        argmax_y[samples.rois] = y.gather(4, row)[..., 0].to(output)
        argmax_x[samples.rois] = x.gather(4, column)[..., 0].to(output)
    return output, argmax_y, argmax_x


def _max_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    input_shape: tuple[int, ...],
) -> Tensor:
    _, channels, height, width = input_shape
    cells, weights = _corners(argmax_y, height, argmax_x, width)
    weights = weights * (argmax_y != -1)[..., None]
    maps = rois[:, 0].long()[:, None] * channels
    maps = maps + torch.arange(channels, device=rois.device)
    cells = cells + (maps * (height * width))[:, :, None, None, None]
    grad = grad_output.new_zeros(input_shape)
    values = (grad_output[..., None] * weights).to(grad)
    grad.view(-1).index_add_(0, cells.flatten(), values.flatten())
    return grad


def _sample(
    rois: Tensor, input_shape: tuple[int, ...], grid: RoIGrid, *, limit: int
) -> Iterator[_Samples]:
    """Place the samples, for RoIs with equal numbers of samples at a time.

    Yields:
        Samples with at most ``limit`` corners (at least those of one RoI).
    """
    _, _, height, width = input_shape
    bins = torch.tensor(grid.output_size, device=rois.device)
    start, bin_size = _bins(rois, bins, grid)
    if grid.sampling_ratio > 0:
        num_samples = torch.full_like(bin_size, grid.sampling_ratio)
    else:
        num_samples = bin_size.ceil()
    for counts in num_samples.unique(dim=0):
        same = (num_samples == counts).all(1).nonzero().flatten()
        rows, columns = int(counts[0]), int(counts[1])
        if rows <= 0 or columns <= 0:
            continue
        per_roi = 4 * rows * columns * grid.output_size[0] * grid.output_size[1]
        for index in same.split(max(1, limit // per_roi)):
            y = _positions(start[index, 0], bin_size[index, 0], bins[0], rows)
            x = _positions(start[index, 1], bin_size[index, 1], bins[1], columns)
            cells, weights = _corners(
                y[:, :, None, :, None], height, x[:, None, :, None, :], width
            )
            image = rois[index, 0].long() * (height * width)
            cells = cells + image.view(-1, 1, 1, 1, 1, 1)
            yield _Samples(index, y, x, cells, weights)


def _bins(rois: Tensor, bins: Tensor, grid: RoIGrid) -> tuple[Tensor, Tensor]:
    """Start and size of the bins ``(y, x)`` in cells, ``(K, 2)`` each."""
    corners = rois[:, 1:].to(torch.promote_types(rois.dtype, torch.float32))
    corners = corners * grid.spatial_scale - (0.5 if grid.aligned else 0.0)
    start, stop = corners[:, [1, 0]], corners[:, [3, 2]]
    size = stop - start if grid.aligned else (stop - start).clamp(min=1)
    return start, size / bins


def _positions(start: Tensor, bin_size: Tensor, bins: Tensor, count: int) -> Tensor:
    """Centres of ``count`` equal parts of each bin along one axis, in cells."""
    device = start.device
    bin_index = torch.arange(int(bins), device=device)[:, None]
    part = (torch.arange(count, dtype=start.dtype, device=device) + 0.5) / count
    return start[:, None, None] + (bin_index + part) * bin_size[:, None, None]


def _corners(y: Tensor, height: int, x: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Flat cells and bilinear weights of the four cells around each position.

    Shape:
        - y and x: shapes that broadcast to ``(...)``.
        - Output: ``(..., 4)`` each.
    """
    y_low, y_high, y_weights = _neighbours(y, height)
    x_low, x_high, x_weights = _neighbours(x, width)
    rows = torch.stack((y_low, y_low, y_high, y_high), -1) * width
    columns = torch.stack((x_low, x_high, x_low, x_high), -1)
    weights = y_weights[..., [0, 0, 1, 1]] * x_weights[..., [0, 1, 0, 1]]
    return rows + columns, weights


def _neighbours(position: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Cells below and above a position, and their weights ``(..., 2)``.

    Positions up to one cell outside count as on the border; others weigh nothing.
    """
    inside = (position >= -1) & (position <= size)
    position = position.clamp(0, size - 1)
    low = position.floor()
    high_weight = position - low
    weights = torch.stack((1 - high_weight, high_weight), -1) * inside[..., None]
    low = low.long()
    return low, (low + 1).clamp(max=size - 1), weights


def _to_table(maps: Tensor) -> Tensor:
    """Maps ``(N, C, H, W)`` as rows ``(N * H * W, C)``, in float32 at least."""
    dtype = torch.promote_types(maps.dtype, torch.float32)
    return maps.detach().permute(0, 2, 3, 1).reshape(-1, maps.size(1)).to(dtype)
