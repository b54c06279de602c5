from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import Tensor, nn

from m2det_mmdet.engine.complexity import Complexity, measure

CONFIGS = Path(__file__).parents[2] / 'configs'


@MODELS.register_module()
class TwiceTheSame(nn.Module):
    """One convolution of 3 * 5 weights and 5 biases, and one module used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 5, 1)
        self.second = self.again = nn.Conv2d(5, 5, 1, bias=False)
        self.norm = nn.BatchNorm2d(5)

    def forward(self, x: Tensor, mode: str) -> Tensor:
        # One image of one cell trains no batch norm.
        return self.again(self.second(self.norm(self.first(x)[..., :1, :1])))


def test_shared_weights_count_once_and_each_use_of_them_as_two_operations() -> None:
    pipeline = [{'type': 'LoadImageFromFile'}, {'type': 'Resize', 'scale': (6, 4)}]
    config = Config(
        {
            'default_scope': 'mmdet',
            'model': {'type': 'TwiceTheSame'},
            'test_dataloader': {'dataset': {'pipeline': pipeline}},
        }
    )

    # 4 * 6 cells of the first convolution, one of the second, twice.
    assert measure(config) == Complexity(
        input_size=(4, 6),
        parameters=15 + 5 + 25 + 10,
        flops=2 * (4 * 6 * 15 + 2 * 25),
    )


def test_the_released_network_costs_what_is_known_of_it() -> None:
    config = Config.fromfile(CONFIGS / 'm2det' / 'm2det_vgg_320.py')
    config.model.neck.update(share_leach=True, sfam=False, extra_norm=True)
    before = torch.get_rng_state()

    assert measure(config) == Complexity((320, 320), 132_633_140, 148_607_737_856)
    assert torch.equal(torch.get_rng_state(), before)
