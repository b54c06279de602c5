import pytest
from torch import nn

from m2det_mmdet.models.layers.statistics import check_statistics

MESSAGE = 'one image cannot train batch norm on the smallest scale, which has one cell'


def test_a_single_value_a_channel_trains_no_batch_norm() -> None:
    layer = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    with pytest.raises(ValueError, match=MESSAGE):
        check_statistics(layer, 1, (1, 1))
    check_statistics(layer, 2, (1, 1))
    check_statistics(layer, 1, (1, 2))
    # As with norm_eval=True.
    layer[1].eval()
    check_statistics(layer, 1, (1, 1))


@pytest.mark.parametrize('norm', [nn.GroupNorm(1, 2), nn.SyncBatchNorm(2)])
def test_norms_that_see_more_are_left_alone(norm: nn.Module) -> None:
    check_statistics(nn.Sequential(norm), 1, (1, 1))
