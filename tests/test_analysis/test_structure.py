from pathlib import Path

from mmdet.registry import MODELS
from mmengine.config import Config
from torch import nn

from m2det_mmdet.analysis.structure import build_structure
from m2det_mmdet.utils.configs import load_config


@MODELS.register_module()
class Greedy(nn.Linear):
    """Takes what it needs out of the settings that it is given."""

    def __init__(self, sizes: dict) -> None:
        super().__init__(sizes.pop('inputs'), sizes.pop('outputs'))


def test_modules_that_read_values_while_they_are_built_end_without_any() -> None:
    swin = {'type': 'SwinTransformer', 'embed_dims': 12, 'depths': (2, 2, 6, 2)}
    model = build_structure(Config({'default_scope': 'mmdet', 'model': swin}))

    assert {parameter.is_meta for parameter in model.parameters()} == {True}


def test_modules_that_change_their_settings_leave_the_config_as_it_is() -> None:
    config = Config(
        {
            'default_scope': 'mmdet',
            'model': {'type': 'Greedy', 'sizes': {'inputs': 2, 'outputs': 3}},
        }
    )
    before = config.to_dict()
    model = build_structure(config)

    assert model.weight.shape == (3, 2)
    assert model.weight.is_meta
    assert config.to_dict() == before


def test_weights_that_a_detector_loads_when_it_is_built_are_left_out(
    tmp_path: Path,
) -> None:
    config = load_config('mmdet::lad/lad_r50-paa-r101_fpn_2xb8_coco_1x.py')
    config.model.teacher_ckpt = str(tmp_path / 'absent.pth')

    assert type(build_structure(config)).__name__ == 'LAD'
