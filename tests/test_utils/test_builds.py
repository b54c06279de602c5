from functools import partial
from typing import Any

import pytest
import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS, OPTIMIZERS, PARAM_SCHEDULERS
from mmengine.runner import Runner
from torch import nn

from m2det_mmdet.utils.builds import did_you_mean, unknown_type, wrong_argument

NECK = {'type': 'MLFPN', 'in_channels': (8, 8)}
COCO = {'type': 'CheckedCocoDataset', 'lazy_init': True}
LOADER = {'dataset': [1], 'sampler': {'type': 'DefaultSampler', 'shuffle': False}}
SGD = {'type': 'SGD', 'params': [torch.zeros(1)], 'lr': 1.0}
WRAPPER = {'type': 'OptimWrapper', 'optimizer': {'type': 'SGD', 'lr': 1.0}}


class Careless(nn.Module):
    """Passes an argument on that its layer does not take."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 1, size=size)


class Calling(nn.Module):
    """Takes what no MMEngine class takes, and fails when it is called."""

    def forward(self) -> None:
        Careless(width=1)


def caught(build: Any, *args: Any) -> BaseException:
    """Return what a build raises."""
    with pytest.raises((TypeError, KeyError)) as found:
        build(*args)
    return found.value


@pytest.mark.parametrize(
    ('build', 'sentence'),
    [
        (
            partial(MODELS.build, {**NECK, 'num_level': 2}),
            'MLFPN takes no argument num_level: did you mean num_levels or num_scales?',
        ),
        # That of its parent's parent, which names itself in Python's message.
        (
            partial(DATASETS.build, {**COCO, 'data_rot': 'x'}),
            'CheckedCocoDataset takes no argument data_rot: did you mean data_root or '
            'data_prefix?',
        ),
        (
            partial(Runner.build_dataloader, {**LOADER, 'batchsize': 2}),
            'DataLoader takes no argument batchsize: did you mean batch_size or '
            'batch_sampler?',
        ),
        (
            partial(OPTIMIZERS.build, {**SGD, 'lrr': 2}),
            'SGD takes no argument lrr: did you mean lr?',
        ),
        (
            partial(build_optim_wrapper, nn.Linear(1, 1), {**WRAPPER, 'clip_grd': {}}),
            'OptimWrapper takes no argument clip_grd: did you mean clip_grad?',
        ),
    ],
)
def test_a_wrong_argument_comes_with_similar_ones(build: Any, sentence: str) -> None:
    assert wrong_argument(caught(build)) == sentence


def test_without_a_similar_argument_all_are_listed() -> None:
    error = caught(MODELS.build, {'type': Careless, 'zzz': 1})

    assert wrong_argument(error) == 'Careless takes no argument zzz: it takes size.'


@pytest.mark.parametrize(
    'build', [partial(MODELS.build, {'type': Careless, 'size': 3}), Calling()]
)
def test_what_a_module_does_wrong_is_not_laid_to_the_config(build: Any) -> None:
    assert wrong_argument(caught(build)) is None


@pytest.mark.parametrize(
    ('registry', 'name', 'sentence'),
    [
        (MODELS, 'MLFPM', 'no model of the type MLFPM: did you mean MLFPN?'),
        # A hook of the parent registry.
        (HOOKS, 'CheckpointHok', 'no hook of the type CheckpointHok: did you mean Ch'),
        (
            PARAM_SCHEDULERS,
            'LinerLR',
            'no parameter scheduler of the type LinerLR: did',
        ),
        (MODELS, 'Zzzzzz', 'type Zzzzzz: check it, and add the module that registers'),
    ],
)
def test_an_unknown_type_comes_with_similar_ones(
    registry: Any, name: str, sentence: str
) -> None:
    assert sentence in unknown_type(caught(registry.build, {'type': name}))


def test_an_unknown_optimizer_comes_with_similar_ones() -> None:
    wrapper = {**WRAPPER, 'optimizer': {'type': 'Adm', 'lr': 1.0}}

    error = caught(build_optim_wrapper, nn.Linear(1, 1), wrapper)

    assert 'no optimizer of the type Adm: did you mean Adam' in unknown_type(error)


def test_another_key_error_is_none_of_a_registry() -> None:
    assert unknown_type(caught({}.__getitem__, 'x is not in the y registry')) is None


def test_a_name_that_is_known_twice_is_offered_once() -> None:
    assert did_you_mean('depth', ['dept', 'dept']) == 'did you mean dept?'


def test_no_similar_name_gives_no_question() -> None:
    assert did_you_mean('depth', ['dept', 'zoo']) == 'did you mean dept?'
    assert did_you_mean('depth', ['width'], likeness=0.9) == ''
