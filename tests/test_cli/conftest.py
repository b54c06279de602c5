"""A detector trained for one epoch on a few scenes, for all tests of the commands."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from m2det_mmdet.cli import main
from m2det_mmdet.datasets.scenes import write_scenes

CONFIG = """
_base_ = {base!r}

data = {scenes!r}
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(type='CheckedCocoDataset', data_root=data),
)
val_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(type='CheckedCocoDataset', data_root=data),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='GradedCocoMetric', ann_file=data + 'annotations/val.json')
test_evaluator = val_evaluator
model = dict(neck=dict(num_levels=1), test_cfg=dict(score_thr=0.02, max_per_img=5))
train_cfg = dict(max_epochs=1, val_interval=1)
randomness = dict(seed=0)
default_hooks = dict(logger=dict(interval=1))
custom_hooks = [dict(type='ClassCheckHook'), dict(type='WeightsCheckHook')]
"""


@pytest.fixture(scope='package')
def trained(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Paths of the scenes, the config, the work folder and the checkpoint."""
    root = tmp_path_factory.mktemp('trained')
    scenes = root / 'scenes'
    write_scenes(scenes, num_train=4, num_val=3, num_test=1, size=(128, 128))
    base = Path(__file__).parents[2] / 'configs' / 'm2det' / 'm2det_r18_scenes.py'
    config = root / 'small.py'
    config.write_text(CONFIG.format(base=str(base), scenes=f'{scenes}/'))
    work_dir = root / 'work'

    assert main(['train', str(config), '--work-dir', str(work_dir)]) == 0

    return SimpleNamespace(
        scenes=scenes,
        config=str(config),
        work_dir=work_dir,
        checkpoint=str(work_dir / 'epoch_1.pth'),
    )
