import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmdet.registry import HOOKS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.runner import get_priority
from torch import nn

from m2det_mmdet.analysis.random_weights import build_random
from m2det_mmdet.engine import AccelerationHook, WeightsCheckHook

CONFIG = Path(__file__).parents[3] / 'configs' / 'm2det' / 'm2det_r18_scenes.py'


def _runner() -> SimpleNamespace:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    nn.init.constant_(model[1].running_mean, 0.5)
    return SimpleNamespace(model=model)


def test_a_test_sees_a_faster_copy_and_the_runner_keeps_its_model() -> None:
    runner = _runner()
    model = runner.model
    image = torch.rand(1, 3, 2, 2)
    expected = nn.Sequential(*model).eval()(image)
    model.train()
    hook = HOOKS.build({'type': 'AccelerationHook'})

    hook.before_test(runner)
    hook.before_test_epoch(runner)

    assert [type(layer) for layer in runner.model] == [nn.Conv2d, nn.Identity]
    torch.testing.assert_close(runner.model(image), expected)

    hook.after_test_epoch(runner)

    assert runner.model is model
    assert model.training
    assert [type(layer) for layer in model] == [nn.Conv2d, nn.BatchNorm2d]
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_detector_finds_the_same_objects() -> None:
    model = build_random(Config.fromfile(CONFIG)).eval()
    sample = DetDataSample(
        metainfo={'img_shape': (128, 128), 'scale_factor': (1.0, 1.0)}
    )
    image = torch.randint(256, (3, 128, 128), dtype=torch.uint8)
    runner = SimpleNamespace(model=model)

    (before,) = model.test_step({'inputs': [image], 'data_samples': [sample.clone()]})
    AccelerationHook().before_test_epoch(runner)
    (after,) = runner.model.test_step({'inputs': [image], 'data_samples': [sample]})

    found, expected = after.pred_instances, before.pred_instances
    assert len(found) == 200
    assert len(expected.labels.unique()) > 1
    # The best first in both.
    assert torch.equal(found.labels, expected.labels)
    torch.testing.assert_close(found.scores, expected.scores, rtol=0, atol=1e-5)
    torch.testing.assert_close(found.bboxes, expected.bboxes, rtol=0, atol=1e-3)


def test_training_and_validation_see_the_model_itself() -> None:
    runner = _runner()
    model = runner.model
    hook = AccelerationHook()

    for stage in ('before_run', 'before_train', 'before_val', 'before_val_epoch'):
        getattr(hook, stage)(runner)
        assert runner.model is model
        assert type(model[1]) is nn.BatchNorm2d


def test_it_follows_hooks_that_check_or_exchange_weights() -> None:
    hooks = [AccelerationHook(), EMAHook(), WeightsCheckHook()]
    names = {type(hook).__name__: get_priority(hook.priority) for hook in hooks}

    assert names['WeightsCheckHook'] < names['EMAHook'] < names['AccelerationHook']


def test_averaged_weights_are_the_ones_tested() -> None:
    runner = _runner()
    before = runner.model[0].weight.detach().clone()
    ema = EMAHook(ema_type='ExponentialMovingAverage', momentum=0.5)
    ema.before_run(runner)
    nn.init.zeros_(runner.model[0].weight)
    hook = AccelerationHook(fold_norm=False)

    ema.before_test_epoch(runner)
    hook.before_test_epoch(runner)
    tested = runner.model[0].weight.detach().clone()
    ema.after_test_epoch(runner)
    hook.after_test_epoch(runner)

    assert torch.equal(tested, before)
    assert not runner.model[0].weight.any()


@pytest.mark.parametrize('arguments', [{'autocast': 'int8'}, {'compile': 'always'}])
def test_bad_arguments_stop_before_the_test(arguments: dict) -> None:
    (value,) = arguments.values()
    with pytest.raises(ValueError, match=re.escape(repr(value))):
        AccelerationHook(**arguments)
