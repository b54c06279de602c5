import pytest
import torch
from mmdet.models.backbones import SSDVGG
from torch import nn

from m2det_mmdet.models.backbones import RefineDetVGG


def on_meta() -> RefineDetVGG:
    with torch.device('meta'):
        return RefineDetVGG().to('meta')


@pytest.mark.parametrize(
    ('side', 'sizes'),
    [
        (320, [40, 20, 10, 5]),
        (512, [64, 32, 16, 8]),
        # Rounded up, also where the authors' poolings round down.
        (288, [36, 18, 9, 5]),
        (300, [38, 19, 10, 5]),
        (33, [5, 3, 2, 1]),
    ],
)
def test_each_map_has_half_the_cells_of_the_one_before(
    side: int, sizes: list[int]
) -> None:
    model = on_meta()
    maps = model(torch.empty(1, 3, side, side, device='meta'))

    assert [x.shape[2] for x in maps] == [x.shape[3] for x in maps] == sizes
    assert tuple(x.shape[1] for x in maps) == model.out_channels


def test_pre_trained_weights_of_ssd_fit() -> None:
    ours = {name: value.shape for name, value in on_meta().state_dict().items()}
    with torch.device('meta'):
        ssd = SSDVGG(depth=16).state_dict()

    assert all(ours[name] == value.shape for name, value in ssd.items())
    own = sum(shape.numel() for name, shape in ours.items() if name not in ssd)
    # Two L2 norms and the extra layer.
    assert own == 2 * 512 + (1024 + 1) * 256 + (9 * 256 + 1) * 512


def test_the_l2_norms_scale_unit_vectors() -> None:
    model = RefineDetVGG(l2_norm_scales=(10, 8))
    # 3-4-5 in two channels of one cell.
    x = torch.zeros(1, 512, 1, 1)
    x[0, :2, 0, 0] = torch.tensor([3.0, 4.0])
    normed = [norm(x)[0, :3, 0, 0].tolist() for norm in model.l2_norms]

    assert normed[0] == pytest.approx([6, 8, 0])
    assert normed[1] == pytest.approx([4.8, 6.4, 0])
    assert torch.equal(model.l2_norms[0](0 * x), 0 * x)
    # What a training begins with.
    model.init_weights()
    assert [norm.weight.unique().item() for norm in model.l2_norms] == [10, 8]


def test_conv6_is_dilated_by_three_after_a_pooling_of_stride_two() -> None:
    layers = on_meta().features
    pools = [layer for layer in layers if isinstance(layer, nn.MaxPool2d)]

    assert [(pool.kernel_size, pool.stride) for pool in pools] == [(2, 2)] * 5
    assert (layers[31].dilation, layers[31].padding) == ((3, 3), (3, 3))


def test_another_number_of_scales_is_refused() -> None:
    with pytest.raises(ValueError, match=r'two numbers, .*got \(10,\)'):
        RefineDetVGG(l2_norm_scales=(10,))
