"""The neck and the head on sizes, channels, levels and scales drawn at random."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmdet.registry import MODELS, TASK_UTILS

from m2det_mmdet.models.necks import MLFPN

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))
FEW = settings(
    max_examples=15,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def _cells(pixels: int, stride: int) -> int:
    return -(-pixels // stride)


@FEW
@given(
    image=st.tuples(st.integers(1, 330), st.integers(1, 330)),
    channels=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    num_levels=st.integers(0, 3),
    num_scales=st.integers(1, 7),
    tum_channels=st.integers(1, 6),
    out_channels=st.none() | st.integers(1, 5),
    exact=st.booleans(),
)
def test_the_maps_of_the_neck_are_those_it_declares(
    image: tuple[int, int],
    channels: tuple[int, int],
    num_levels: int,
    num_scales: int,
    tum_channels: int,
    out_channels: int | None,
    exact: bool,
) -> None:
    maps = [
        torch.ones(1, number, *(_cells(x, stride) for x in image))
        for number, stride in zip(channels, (8, 16), strict=True)
    ]
    try:
        neck = MLFPN(
            channels,
            ffm_channels=(3, 2),
            num_levels=num_levels,
            num_scales=num_scales,
            tum_channels=tum_channels,
            sfam_reduction=1,
            exact_strides=exact,
            out_channels=out_channels,
        ).eval()
        found = neck(maps)
        strides = neck.strides(image)
    except ValueError as error:
        text = str(error)
        assert '\n' not in text
        assert text.endswith('.')
        return

    wanted = [out_channels or num_levels * tum_channels] * num_scales
    assert [x.shape[1] for x in found] == neck.out_channels == wanted
    assert found[0].shape[-2:] == maps[0].shape[-2:]
    for x, stride in zip(found, strides, strict=True):
        for cells, pixels, step in zip(x.shape[-2:], image, stride, strict=True):
            if exact:
                assert cells == _cells(pixels, int(step))
            else:
                assert step == pytest.approx(pixels / cells)


@FEW
@given(
    maps=st.lists(SIZES, min_size=1, max_size=4),
    num_sizes=st.integers(1, 6),
    num_ratios=st.integers(0, 2),
    num_classes=st.integers(1, 4),
    image=st.tuples(st.integers(8, 330), st.integers(8, 330)),
)
def test_the_head_has_an_anchor_for_each_of_its_outputs(
    maps: list[tuple[int, int]],
    num_sizes: int,
    num_ratios: int,
    num_classes: int,
    image: tuple[int, int],
) -> None:
    generator = {
        'type': 'M2DetAnchorGenerator',
        'input_size': 64,
        'sizes': [0.1 * (index + 1) for index in range(num_sizes)],
        'ratios': [2, 3][:num_ratios],
    }
    in_channels = [3] * len(maps)
    try:
        head = MODELS.build(
            {
                'type': 'M2DetHead',
                'num_classes': num_classes,
                'in_channels': in_channels,
                'anchor_generator': generator,
            }
        )
    except ValueError as error:
        text = str(error)
        assert len(maps) != num_sizes - 1
        assert '\n' not in text
        assert text.endswith('.')
        return

    scores, deltas = head([torch.ones(2, 3, *size) for size in maps])
    anchors = TASK_UTILS.build(generator).grid_priors(
        maps, device='cpu', image_size=image
    )

    assert len(maps) == num_sizes - 1
    for level, (height, width) in enumerate(maps):
        number = 2 + 2 * num_ratios
        assert anchors[level].shape == (height * width * number, 4)
        assert deltas[level].shape == (2, number * 4, height, width)
        wanted = (2, number * (num_classes + 1), height, width)
        assert scores[level].shape == wanted
        # The mean of the centres is that of the image.
        boxes = anchors[level].double()
        centre = (boxes[:, :2] + boxes[:, 2:]).mean(dim=0) / 2
        middle = torch.tensor(image[::-1], dtype=torch.float64) / 2
        torch.testing.assert_close(centre, middle, rtol=1e-4, atol=1e-3)
