from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from m2det_mmdet.models.roi_heads import (
    AllLevelRoIExtractor,
    FusedRoIExtractor,
    SoftRoIExtractor,
)

STRIDES = (4, 8, 16, 32)
LAYER = {'type': 'RoIAlign', 'output_size': 2, 'sampling_ratio': 2}
KINDS = [AllLevelRoIExtractor, FusedRoIExtractor, SoftRoIExtractor]
# Of image 0 and of image 1; far from the border, where maps end.
ROIS = torch.tensor([[0.0, 32, 40, 64, 80], [1, 48, 48, 80, 64]])


def ramps() -> list[Tensor]:
    """Maps of two images of 128 pixels that tell where each cell's centre lies.

    Channel 0 holds its column, channel 1 its row, in input pixels; image 1 1000 more.
    """
    maps = []
    for stride in STRIDES:
        centre = (torch.arange(128 // stride) + 0.5) * stride
        rows, columns = torch.meshgrid(centre, centre, indexing='ij')
        x = torch.stack([columns, rows])
        maps.append(torch.stack([x, x + 1000]))
    return maps


def test_every_level_shows_the_same_place() -> None:
    extractor = AllLevelRoIExtractor(LAYER, 2, STRIDES)
    levels = extractor(ramps(), ROIS)

    # Centres of two bins of 16 pixels, of 20; then of 16 and 8.
    first = torch.tensor([[[40.0, 56], [40, 56]], [[50, 50], [70, 70]]])
    second = torch.tensor([[[56.0, 72], [56, 72]], [[52, 52], [60, 60]]]) + 1000
    assert len(levels) == 4
    for pooled in levels:
        torch.testing.assert_close(pooled, torch.stack([first, second]))


def test_rois_can_be_enlarged() -> None:
    extractor = AllLevelRoIExtractor(LAYER, 2, STRIDES)
    roi = torch.tensor([[0.0, 48, 48, 64, 64]])

    half = extractor(ramps(), roi)[0]
    double = extractor(ramps(), roi, roi_scale_factor=2.0)[0]
    assert half[0, 0, 0].tolist() == [52, 60]
    assert double[0, 0, 0].tolist() == [48, 64]


def test_soft_selection_enlarges_rois_too() -> None:
    extractor = SoftRoIExtractor(LAYER, 2, STRIDES)
    roi = torch.tensor([[0.0, 48, 48, 64, 64]])
    double = torch.tensor([[0.0, 40, 40, 72, 72]])

    enlarged = extractor(ramps(), roi, roi_scale_factor=2.0)
    torch.testing.assert_close(enlarged, extractor(ramps(), double))


def test_soft_selection_is_the_weighted_sum_over_the_levels() -> None:
    extractor = SoftRoIExtractor(LAYER, 1, STRIDES)
    weigh = extractor.fusion.weigh[2]
    torch.nn.init.zeros_(weigh.weight)
    with torch.no_grad():
        # The sigmoid of these is a half, a quarter, a fifth and a tenth.
        weigh.bias.copy_(-torch.tensor([1.0, 3, 4, 9]).log())
    sides = [128 // stride for stride in STRIDES]
    maps = [torch.full((2, 1, n, n), 10.0**i) for i, n in enumerate(sides)]

    pooled = extractor(maps, ROIS)
    expected = 1 / 2 + 10 / 4 + 100 / 5 + 1000 / 10
    torch.testing.assert_close(pooled, torch.full((2, 1, 2, 2), expected))


@pytest.mark.parametrize(('fusion', 'expected'), [('max', 1000), ('sum', 1111)])
def test_levels_are_fused_cell_by_cell(fusion: str, expected: float) -> None:
    extractor = FusedRoIExtractor(LAYER, 1, STRIDES, fusion=fusion)
    sides = [128 // stride for stride in STRIDES]
    maps = [torch.full((2, 1, n, n), 10.0**i) for i, n in enumerate(sides)]

    pooled = extractor(maps, ROIS)
    torch.testing.assert_close(pooled, torch.full((2, 1, 2, 2), float(expected)))


def test_another_fusion_is_named() -> None:
    with pytest.raises(ValueError, match="'max' or 'sum', got 'mean'"):
        FusedRoIExtractor(LAYER, 1, STRIDES, fusion='mean')


def test_soft_selection_at_256_channels_costs_what_was_counted() -> None:
    extractor = SoftRoIExtractor({**LAYER, 'output_size': 7}, 256, STRIDES)
    maps = [torch.rand(1, 256, 128 // stride, 128 // stride) for stride in STRIDES]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        pooled = extractor(maps, ROIS[:1])

    assert sum(p.numel() for p in extractor.parameters()) == 271_620
    assert round(counter.get_total_flops() / 1e6, 2) == 26.59
    assert pooled.shape == (1, 256, 7, 7)


def test_gradient_reaches_weights_and_every_map() -> None:
    torch.manual_seed(0)
    extractor = SoftRoIExtractor(LAYER, 2, STRIDES)
    extractor.init_weights()
    maps = [torch.randn_like(x).requires_grad_() for x in ramps()]
    extractor(maps, ROIS).square().sum().backward()

    assert all(p.grad.any() for p in extractor.parameters())
    assert all(x.grad[0].any() and x.grad[1].any() for x in maps)


def test_no_roi_gives_none() -> None:
    extractor = SoftRoIExtractor(LAYER, 2, STRIDES)
    assert extractor(ramps(), torch.empty(0, 5)).shape == (0, 2, 2, 2)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize('num_rois', [2, 0])
def test_compiled_operators_get_what_they_can_read(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, num_rois: int
) -> None:
    # mmcv.ops has a function of the module's name.
    operators = import_module('mmcv.ops.roi_align').ext_module
    operator = operators.roi_align_forward

    def strict(x: Tensor, rois: Tensor, *rest: Any, **settings: Any) -> None:
        assert x.is_contiguous()
        assert rois.is_contiguous()
        assert x.dtype == rois.dtype == torch.float32
        assert len(rois)
        operator(x, rois, *rest, **settings)

    monkeypatch.setattr(operators, 'roi_align_forward', strict)
    extractor = AllLevelRoIExtractor(LAYER, 2, STRIDES)
    maps = [x / 1024 for x in ramps()]
    inputs = [x.to(dtype, memory_format=torch.channels_last) for x in maps]
    inputs = [x.requires_grad_() for x in inputs]
    rois = ROIS[:num_rois]
    found = extractor(inputs, rois)

    for pooled, expected in zip(found, extractor(maps, rois), strict=True):
        torch.testing.assert_close(pooled, expected, rtol=0.02, atol=0)
    sum(x.sum() for x in found).backward()
    assert all(x.grad is not None for x in inputs)


@pytest.mark.parametrize('kind', KINDS)
def test_maps_without_a_stride_are_named(kind: type) -> None:
    extractor = kind(LAYER, 2, STRIDES)
    message = rf'{kind.__name__} pools from 4 levels .*4, 8, 16, 32.* and got 3 maps'
    with pytest.raises(ValueError, match=message):
        extractor(ramps()[1:], ROIS)
