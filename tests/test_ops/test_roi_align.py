import math

import mmcv.ops
import pytest
import torch

from m2det_mmdet.ops import RoIGrid, roi_align_forward

# Inside; reaching out on all sides; less than a cell; of another image; far outside.
ROIS = torch.tensor(
    [
        [0, 0, 0, 30, 20],
        [1, -9, -9, 60, 50],
        [0, 5, 5, 6, 6],
        [1, 10, 3, 40, 33],
        [0, 200, 200, 220, 220],
    ],
    dtype=torch.float64,
)
BINS = 3
SCALE = 0.25


def features() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(2, 3, 9, 11, generator=generator, dtype=torch.float64)
    return maps - 0.3


def bilinear(maps: torch.Tensor, y: float, x: float) -> torch.Tensor:
    _, height, width = maps.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return maps.new_zeros(len(maps))
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    upper = maps[:, top, left] * (1 - x + left) + maps[:, top, right] * (x - left)
    lower = maps[:, bottom, left] * (1 - x + left) + maps[:, bottom, right] * (x - left)
    return upper * (1 - y + top) + lower * (y - top)


def slow_roi_align(
    maps: torch.Tensor, roi: list[float], sampling: int, mode: str, aligned: bool
) -> torch.Tensor:
    """One region by plain loops: ``(C, BINS, BINS)``."""
    image, *corners = roi
    x1, y1, x2, y2 = (value * SCALE - 0.5 * aligned for value in corners)
    width, height = x2 - x1, y2 - y1
    if not aligned:
        width, height = max(width, 1), max(height, 1)
    rows = sampling or math.ceil(height / BINS)
    columns = sampling or math.ceil(width / BINS)
    output = maps.new_zeros(maps.size(1), BINS, BINS)
    for p in range(BINS):
        for q in range(BINS):
            values = [
                bilinear(
                    maps[int(image)],
                    y1 + (p + (i + 0.5) / rows) * height / BINS,
                    x1 + (q + (j + 0.5) / columns) * width / BINS,
                )
                for i in range(rows)
                for j in range(columns)
            ]
            stacked = torch.stack(values)
            output[:, p, q] = stacked.mean(0) if mode == 'avg' else stacked.amax(0)
    return output


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling', [0, 1, 2])
@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_roi_align_equals_plain_loops(aligned: bool, sampling: int, mode: str) -> None:
    maps = features()
    pooled = mmcv.ops.roi_align(maps, ROIS, BINS, SCALE, sampling, mode, aligned)

    expected = [
        slow_roi_align(maps, roi, sampling, mode, aligned) for roi in ROIS.tolist()
    ]
    torch.testing.assert_close(pooled, torch.stack(expected))


@pytest.mark.parametrize(
    ('sampling', 'mode', 'aligned'),
    [(0, 'avg', True), (2, 'avg', False), (0, 'max', False), (2, 'max', True)],
)
def test_roi_align_has_the_right_gradient(
    sampling: int, mode: str, aligned: bool
) -> None:
    def pool(maps: torch.Tensor) -> torch.Tensor:
        return mmcv.ops.roi_align(maps, ROIS, BINS, SCALE, sampling, mode, aligned)

    maps = features()[:, :1].requires_grad_()
    assert torch.autograd.gradcheck(pool, (maps,))


def test_roi_align_of_a_ramp_is_its_value_at_the_bin_centres() -> None:
    maps = torch.arange(8.0).expand(1, 1, 8, 8)
    rois = torch.tensor([[0.0, 2, 2, 6, 6]])
    pooled = mmcv.ops.RoIAlign(2, aligned=True)(maps, rois)

    # Bins are centred on x = 3 and 5; the centre of cell i is at i + 0.5.
    torch.testing.assert_close(pooled[0, 0], torch.tensor([[2.5, 4.5], [2.5, 4.5]]))


def test_work_in_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = features()
    grid = RoIGrid((3, 3), SCALE)
    whole = [roi_align_forward(maps, ROIS, grid, pool_mode=m) for m in ('avg', 'max')]
    monkeypatch.setattr('m2det_mmdet.ops.roi_align._MAX_CORNERS', 1)
    monkeypatch.setattr('m2det_mmdet.ops.roi_align._MAX_VALUES', 1)
    parts = [roi_align_forward(maps, ROIS, grid, pool_mode=m) for m in ('avg', 'max')]

    torch.testing.assert_close(parts, whole)


@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_no_rois_give_no_bins_and_no_gradient(mode: str) -> None:
    maps = features().requires_grad_()
    pooled = mmcv.ops.roi_align(maps, ROIS[:0], (2, 3), SCALE, 0, mode)
    pooled.sum().backward()

    assert pooled.shape == (0, 3, 2, 3)
    assert not maps.grad.any()


@pytest.mark.parametrize(('mode', 'value'), [('avg', 0.0), ('max', -10000.0)])
def test_rois_without_area_have_mmcvs_value_and_no_gradient(
    mode: str, value: float
) -> None:
    maps = features().requires_grad_()
    rois = torch.tensor([[0.0, 8, 8, 8, 8]], dtype=maps.dtype)
    pooled = mmcv.ops.roi_align(maps, rois, BINS, SCALE, 0, mode, True)
    pooled.sum().backward()

    assert (pooled == value).all()
    assert not maps.grad.any()


def test_half_precision_maps_take_float32_rois() -> None:
    pooled = mmcv.ops.roi_align(features().half(), ROIS.float(), BINS, SCALE)

    expected = mmcv.ops.roi_align(features(), ROIS, BINS, SCALE)
    assert pooled.dtype == torch.float16
    torch.testing.assert_close(pooled.double(), expected, atol=1e-3, rtol=1e-2)


def test_unknown_pool_mode_is_named() -> None:
    with pytest.raises(ValueError, match=r"pool_mode must be .*'sum'"):
        roi_align_forward(features(), ROIS, RoIGrid((3, 3)), pool_mode='sum')
