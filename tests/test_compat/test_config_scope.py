from pathlib import Path

import pytest
from mmengine.config import Config

from m2det_mmdet.compat import config_scope
from m2det_mmdet.utils.errors import M2DetError

CONFIGS = Path(__file__).parents[2] / 'configs'


def test_a_config_in_any_folder_inherits_from_ours(tmp_path: Path) -> None:
    mine = tmp_path / 'mine.py'
    mine.write_text(
        "_base_ = 'm2det::m2det/m2det_vgg_512.py'\n"
        'model = dict(neck=dict(num_levels=2))\n'
        'scale = _base_.train_dataloader.dataset.pipeline[4].scale\n'
    )

    cfg = Config.fromfile(mine)

    assert cfg.pop('scale') == (512, 512)
    expected = Config.fromfile(CONFIGS / 'm2det' / 'm2det_vgg_512.py')
    expected.model.neck.num_levels = 2
    assert cfg.to_dict() == expected.to_dict()


def test_parts_of_ours_are_put_together_in_any_folder(tmp_path: Path) -> None:
    mine = tmp_path / 'mine.py'
    bases = [
        'm2det::_base_/models/m2det_vgg.py',
        'm2det::_base_/default_runtime.py',
        'mmdet::_base_/datasets/coco_detection.py',
    ]
    mine.write_text(f'_base_ = {bases}')

    cfg = Config.fromfile(mine)

    assert cfg.model.neck.type == 'MLFPN'
    assert cfg.default_scope == 'mmdet'
    assert cfg.train_dataloader.dataset.type == 'CocoDataset'


def test_an_unknown_base_is_named(tmp_path: Path) -> None:
    mine = tmp_path / 'mine.py'
    mine.write_text("_base_ = 'm2det::m2det/m2det_vg_512.py'")

    with pytest.raises(
        M2DetError, match=r'did you mean m2det::m2det/m2det_vgg_512\.py'
    ):
        Config.fromfile(mine)


def test_other_names_are_found_as_before() -> None:
    assert config_scope.find_base('b.py', '/a/c.py') == ('/a/b.py', None)
    path, scope = config_scope.find_base(
        'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', 'c.py'
    )
    assert (Path(path).name, scope) == ('retinanet_r50_fpn_1x_coco.py', 'mmdet')


def test_a_second_installation_changes_nothing() -> None:
    config_scope.install()

    assert Config._get_cfg_path is config_scope.find_base
    assert config_scope._find_other.__module__ == 'mmengine.config.config'
