"""The parts of docs/training.md, as ``train`` puts them together."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from m2det_mmdet import Detector
from m2det_mmdet.apis import export, train
from m2det_mmdet.datasets.scenes import write_scenes

pytestmark = pytest.mark.slow

LEAF = 'm2det_r18_scenes_modern'
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
OPTIONS = {
    **{f'{loader}.num_workers': 0 for loader in LOADERS},
    **{f'{loader}.persistent_workers': False for loader in LOADERS},
    'train_dataloader.batch_size': 3,
    'model.neck.num_levels': 1,
}


@HOOKS.register_module(force=True)
class WitnessHook(Hook):
    """Keeps the weights of each validation, and the steps of each epoch's images."""

    validated: dict[int, dict[str, Tensor]] = {}
    steps: dict[int, list[str]] = {}

    def before_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        steps = runner.train_dataloader.dataset.pipeline
        self.steps[runner.epoch + 1] = [type(step).__name__ for step in steps]

    def before_val_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        weights = runner.model.state_dict()
        self.validated[runner.epoch] = {k: x.clone() for k, x in weights.items()}


def load(path: Path | None) -> dict[str, Any]:
    return torch.load(path, weights_only=False)


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp('modern')
    data = folder / 'scenes'
    write_scenes(data, num_train=9, num_val=3, num_test=1, size=(128, 128))
    config = folder / 'mine.py'
    config.write_text(
        f"_base_ = 'm2det::m2det/{LEAF}.py'\n"
        "custom_hooks = [*_base_.custom_hooks, dict(type='WitnessHook')]\n"
    )
    result = train(
        config,
        data=data,
        work_dir=folder / 'run',
        epochs=3,
        seed=0,
        device='cpu',
        report=False,
        options=OPTIONS,
    )
    return SimpleNamespace(data=data, result=result)


def test_the_best_checkpoint_has_the_weights_that_were_validated(
    run: SimpleNamespace,
) -> None:
    best = load(run.result.best_checkpoint)
    validated = WitnessHook.validated[best['meta']['epoch']]

    assert best['state_dict'].keys() == validated.keys()
    assert all(torch.equal(x, validated[k]) for k, x in best['state_dict'].items())
    # Beside them are the weights that went on learning, with statistics of their own.
    for name in ('backbone.conv1.weight', 'backbone.bn1.running_mean'):
        assert (best['ema_state_dict'][f'module.{name}'] != validated[name]).any()
    # What predicts has the first.
    detector = Detector(run.result.work_dir)
    for name, value in detector.inferencer.model.state_dict().items():
        torch.testing.assert_close(value.cpu(), validated[name])


def test_images_are_mixed_until_the_last_epoch(run: SimpleNamespace) -> None:
    steps = WitnessHook.steps

    assert steps[1] == steps[2]
    assert steps[3] == [x for x in steps[1] if x not in ('Mosaic', 'MixUp')]
    assert len(steps[3]) == len(steps[1]) - 2


def test_what_is_frozen_stays_in_the_mean(run: SimpleNamespace, tmp_path: Path) -> None:
    start = load(run.result.best_checkpoint)['state_dict']
    result = train(
        LEAF,
        data=run.data,
        work_dir=tmp_path / 'run',
        start=run.result.best_checkpoint,
        epochs=1,
        freeze=('backbone',),
        device='cpu',
        report=False,
        options=OPTIONS,
    )

    found = load(result.best_checkpoint)['state_dict']
    frozen = [name for name in found if name.startswith('backbone.')]
    assert all(torch.equal(found[name], start[name]) for name in frozen)
    assert any((found[name] != start[name]).any() for name in found)


def test_the_smallest_recipe_learns_from_a_folder_predicts_and_is_exported(
    run: SimpleNamespace, tmp_path: Path
) -> None:
    options = {key: x for key, x in OPTIONS.items() if key != 'model.neck.num_levels'}
    result = train(
        'm2det_n',
        data=run.data,
        work_dir=tmp_path / 'run',
        epochs=1,
        image_size=320,
        device='cpu',
        report=False,
        options={**options, 'model.backbone.init_cfg': None},
    )

    images = sorted((run.data / 'val').iterdir())
    # After one epoch no score needs to reach the default.
    limits = {'model.test_cfg.score_thr': 0.0, 'model.test_cfg.max_per_img': 5}
    detector = Detector(result.work_dir, device='cpu', options=limits)
    found = detector(images[0])
    exported = export(result.work_dir, out=tmp_path / 'recipe.onnx')

    assert load(result.best_checkpoint)['meta']['epoch'] == 1
    assert len(found.scores) == 5
    assert exported.path.is_file()
