"""All parts of docs/training.md and an auxiliary head, interrupted: exactly resumed."""

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from m2det_mmdet.checkpoints.differences import differences
from m2det_mmdet.datasets.scenes import write_scenes
from m2det_mmdet.recipes.schedule import set_epochs
from m2det_mmdet.utils.configs import load_config

from .resumption import Crash, run

# Of 4 batches each; the last is without mixed images.
EPOCHS = 3


@pytest.fixture(scope='module')
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('scenes')
    write_scenes(folder, num_train=8, num_val=2, num_test=1, size=(128, 128))
    return folder


def settings(folder: Path, scenes: Path, workers: int = 0) -> Config:
    """The settings of the leaf, for a few small batches that change their size."""
    cfg = load_config(
        'm2det_r18_scenes_modern',
        {'randomness': {'seed': 7}, 'train_cfg.val_interval': 1},
    )
    set_epochs(cfg, EPOCHS, 4)
    cfg.work_dir = str(folder)
    # Smaller maps, and a size that changes within an epoch and lasts into the next.
    (resize,) = cfg.model.data_preprocessor.batch_augments
    resize.update(interval=3)
    cfg.model.neck.num_levels = 2
    cfg.model.aux_levels = [0]
    cfg.model.test_cfg.max_per_img = 5
    train = cfg.train_dataloader
    train.update(batch_size=2, num_workers=workers, persistent_workers=workers > 0)
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.data_root = f'{scenes}/'
    train.dataset.dataset.data_root = f'{scenes}/'
    cfg.val_evaluator.ann_file = str(scenes / 'annotations/val.json')
    cfg.default_hooks.checkpoint.update(every_iterations=1)
    return cfg


def trained(cfg: Config, **others: Any) -> dict[str, Any]:
    return run(cfg.to_dict(), **others)


@pytest.mark.slow
def test_a_modern_training_goes_on_where_it_was_interrupted(
    tmp_path: Path, scenes: Path
) -> None:
    whole = trained(settings(tmp_path / 'whole', scenes))
    assert whole['meta']['iter'] == 4 * EPOCHS
    assert any('aux_heads' in name for name in whole['state_dict'])

    # Within mixing, before and after its end, and just before a size is drawn.
    for workers, iteration in ((0, 3), (2, 7), (2, 8), (0, 10)):
        folder = tmp_path / f'{workers}_{iteration}'
        with pytest.raises(Crash):
            trained(settings(folder, scenes, workers), before_iteration=iteration)
        state = trained(settings(folder, scenes, workers), resume=True)
        assert differences(state, whole) == []
