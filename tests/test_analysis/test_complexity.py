from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.hub import get_config
from torch import Tensor, nn

from m2det_mmdet.analysis.complexity import Complexity, measure

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


def test_the_second_stage_costs_as_many_proposals_as_it_may_have() -> None:
    config = Config.fromfile(
        CONFIGS / 'mlfpn' / 'mlfpn_narrow' / 'faster-rcnn_r18_fpn_scenes.py'
    )
    costs = []
    for proposals in (200, 201):
        config.model.test_cfg.rpn.max_per_img = proposals
        costs.append(measure(config))

    # A proposal of 7x7 cells and 64 channels, layers of 128, 10 classes and their
    # background, a box for each class.
    layers = 49 * 64 * 128 + 128 * 128 + 128 * 11 + 128 * 40
    assert costs[1].flops - costs[0].flops == 2 * layers
    assert costs[0].parameters == costs[1].parameters == 2_210_202


def test_each_stage_of_a_cascade_counts() -> None:
    single, cascade = (
        measure(get_config(f'mmdet::{name}_r50_fpn_1x_coco.py'))
        for name in ('faster_rcnn/faster-rcnn', 'cascade_rcnn/cascade-rcnn')
    )

    # 1000 proposals of 7x7 cells and 256 channels, layers of 1024, 80 classes and the
    # background; a box of each class, but in a cascade one of all.
    layers = 49 * 256 * 1024 + 1024 * 1024 + 1024 * 81
    added = 2 * layers + 1024 * (3 * 4 - 320)
    assert cascade.flops - single.flops == 2 * 1000 * added


def test_the_released_network_costs_what_is_known_of_it() -> None:
    config = Config.fromfile(CONFIGS / 'm2det' / 'm2det_vgg_320.py')
    config.model.neck.update(share_leach=True, sfam=False, extra_norm=True)
    before = torch.get_rng_state()

    assert measure(config) == Complexity((320, 320), 132_633_140, 148_607_737_856)
    assert torch.equal(torch.get_rng_state(), before)
