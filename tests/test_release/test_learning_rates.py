"""The learning rates of the configs, iteration by iteration over the whole schedule."""

import json
from pathlib import Path

import numpy as np
import pytest
from mmdet.registry import PARAM_SCHEDULERS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch import nn

ROOT = Path(__file__).parents[2]
RELEASE = sorted((ROOT / 'configs/m2det/release').glob('*_release.py'))
PAPER = [
    ROOT / 'configs/m2det' / f'm2det_{name}.py' for name in ('vgg_320', 'r101_512')
]


def rates(leaf: Path, epoch_length: int) -> list[float]:
    """Learning rate of every iteration, stepped as MMEngine's hook does."""
    config = Config.fromfile(leaf)
    wrapper = build_optim_wrapper(nn.Linear(1, 1), config.optim_wrapper)
    epochs = config.train_cfg.max_epochs
    schedulers = [
        PARAM_SCHEDULERS.build(
            {'end': epochs, **settings},
            default_args={'optimizer': wrapper, 'epoch_length': epoch_length},
        )
        for settings in config.param_scheduler
    ]
    values = []
    for iteration in range(epochs * epoch_length):
        values.append(wrapper.get_lr()['lr'][0])
        wrapper.step()
        for scheduler in schedulers:
            if not scheduler.by_epoch or (iteration + 1) % epoch_length == 0:
                scheduler.step()
    return values


@pytest.mark.parametrize('leaf', RELEASE, ids=lambda leaf: leaf.stem)
def test_the_release(leaf: Path) -> None:
    reference = json.loads((ROOT / 'tests/data/release/learning_rate.json').read_text())
    length = reference['epoch_length']
    values = rates(leaf, length)

    assert len(RELEASE) == 5
    assert len(values) == 16_000
    assert len(reference['samples']) > 100
    for iteration, epoch, rate in reference['samples']:
        assert epoch == iteration // length + 1
        assert values[iteration] == rate, iteration
    # Between the samples, the formula of the release.
    expected = []
    for iteration in range(len(values)):
        epoch = iteration // length + 1
        drops = sum(epoch > last for last in (90, 110, 130, 150))
        rate = (0.004, 0.002, 4e-4, 4e-5, 4e-6)[drops]
        if epoch <= 5:
            rate = 1e-6 + (0.004 - 1e-6) * iteration / (5 * length)
        expected.append(rate)
    np.testing.assert_allclose(values, expected, rtol=1e-12)


@pytest.mark.parametrize('leaf', PAPER, ids=lambda leaf: leaf.stem)
def test_the_paper(leaf: Path) -> None:
    length = 20
    values = rates(leaf, length)

    assert len(values) == 150 * length
    # A line through the warm-up, then 2e-3, 2e-4 from epoch 91 and 2e-5 from 121.
    assert values[0] == pytest.approx(1e-6)
    last = 5 * length - 1
    line = [1e-6 + (2e-3 - 1e-6) * iteration / last for iteration in range(last + 1)]
    assert values[: last + 1] == pytest.approx(line, rel=1e-9)
    assert values[5 * length : 90 * length] == pytest.approx([2e-3] * 85 * length)
    assert values[90 * length : 120 * length] == pytest.approx([2e-4] * 30 * length)
    assert values[120 * length :] == pytest.approx([2e-5] * 30 * length)
