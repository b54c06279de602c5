import os
from pathlib import Path

from mmengine.config import Config

from m2det_mmdet.apis.training_settings import checkpoints_to_replace


def test_further_names_of_checkpoints_are_replaced_with_them(tmp_path: Path) -> None:
    for name in ('epoch_2.pth', 'best_x_epoch_1.pth'):
        (tmp_path / name).write_bytes(name.encode())
    os.link(tmp_path / 'epoch_2.pth', tmp_path / 'last.pth')
    os.link(tmp_path / 'best_x_epoch_1.pth', tmp_path / 'best.pth')

    replaced = checkpoints_to_replace(Config({'work_dir': str(tmp_path)}), force=True)

    assert sorted(replaced) == sorted(tmp_path.glob('*.pth'))
