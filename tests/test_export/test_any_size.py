"""What does not trace by itself where a graph takes images of any size."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, export

from m2det_mmdet.models.necks import TCB, AugFPN, BiFPN, DSSDNeck
from m2det_mmdet.models.utils.suppression import strongest, strongest_of_classes

# Channels of the maps that a neck takes, and the neck.
NECKS = {
    'AugFPN': (
        (4, 6, 8),
        lambda x: AugFPN(x, 4, num_outs=4, add_extra_convs='on_input'),
    ),
    'BiFPN': ((4, 6, 8), lambda x: BiFPN(x, out_channels=4, num_outs=5, num_stages=1)),
    'TCB': ((4, 6, 8), lambda x: TCB(x, out_channels=4)),
    'DSSD': (
        (4, 6),
        lambda x: DSSDNeck(
            x,
            (4, 6, 8, 8),
            level_strides=(2, 2),
            level_paddings=(1, 1),
            l2_norm_scale=None,
            deconv_channels=4,
        ),
    ),
}


class Pyramid(nn.Module):
    """Halves an image until there is a map for each input of a neck."""

    def __init__(self, name: str) -> None:
        super().__init__()
        channels, make = NECKS[name]
        self.neck = make(channels)
        self.convs = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2, padding=1)
            for before, after in pairwise((3, *channels))
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        maps = []
        for conv in self.convs:
            x = conv(x)
            maps.append(x)
        return tuple(self.neck(tuple(maps)))


@pytest.mark.parametrize('name', NECKS)
def test_a_neck_takes_even_odd_square_and_long_images(name: str) -> None:
    model = Pyramid(name).eval()
    axes = {2: Dim.DYNAMIC, 3: Dim.DYNAMIC}

    program = export(model, (torch.randn(1, 3, 128, 192),), dynamic_shapes=(axes,))

    run = program.module()
    for size in [(160, 160), (131, 197), (224, 90)]:
        image = torch.randn(1, 3, *size)
        for found, expected in zip(run(image), model(image), strict=True):
            torch.testing.assert_close(found, expected)


class Limited(nn.Module):
    def __init__(self, keep: Callable[[Tensor, int], Tensor]) -> None:
        super().__init__()
        self.keep = keep

    def forward(self, scores: Tensor) -> Tensor:
        return self.keep(scores, 20)


@pytest.mark.parametrize('keep', [strongest, strongest_of_classes])
def test_a_limit_holds_for_more_and_for_fewer_scores(
    keep: Callable[[Tensor, int], Tensor],
) -> None:
    program = export(
        Limited(keep), (torch.rand(2, 30, 3),), dynamic_shapes=({1: Dim.DYNAMIC},)
    )

    run = program.module()
    for anchors in (5, 50):
        scores = torch.rand(2, anchors, 3)
        assert torch.equal(run(scores), keep(scores, 20))
