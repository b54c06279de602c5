import pytest
import torch

from m2det_mmdet.models.layers.spatial_fusion import AdaptiveSpatialFusion


@pytest.mark.parametrize(('num_maps', 'count'), [(3, 203_779), (4, 271_620)])
def test_its_parameters_at_256_channels(num_maps: int, count: int) -> None:
    fusion = AdaptiveSpatialFusion(256, num_maps)
    assert sum(p.numel() for p in fusion.parameters()) == count


def test_each_map_has_the_sigmoid_of_its_own_weight() -> None:
    fusion = AdaptiveSpatialFusion(1, 2)
    reduce, _, weigh, _ = fusion.weigh
    with torch.no_grad():
        # The first map is that from which weights come; its negative cells count as 0.
        reduce.weight.copy_(torch.tensor([1.0, 0.0]).view(1, 2, 1, 1))
        reduce.bias.zero_()
        weigh.weight.zero_()
        # The weight of the first map in a cell: what stands left of the cell.
        weigh.weight[0, 0, 1, 0] = 1.0
        weigh.bias.copy_(torch.tensor([0.0, -2.0]))
    fused = fusion([torch.tensor([[[[3.0, -5.0, 7.0]]]]), torch.full((1, 1, 1, 3), 10)])

    def sigmoid(x: float) -> float:
        return torch.tensor(x).sigmoid().item()

    # Not normalised: the weights of a cell have any sum.
    expected = [
        3 * sigmoid(0.0) + 10 * sigmoid(-2.0),
        -5 * sigmoid(3.0) + 10 * sigmoid(-2.0),
        7 * sigmoid(0.0) + 10 * sigmoid(-2.0),
    ]
    torch.testing.assert_close(fused[0, 0, 0], torch.tensor(expected))


def test_no_map_at_all_is_no_fault() -> None:
    fusion = AdaptiveSpatialFusion(2, 3)
    maps = [torch.empty(0, 2, 7, 7, requires_grad=True) for _ in range(3)]
    fused = fusion(maps)
    fused.sum().backward()

    assert fused.shape == (0, 2, 7, 7)
    assert all(not p.grad.any() for p in fusion.parameters())
