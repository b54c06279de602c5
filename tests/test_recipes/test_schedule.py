from collections.abc import Sequence

import pytest
import torch
from mmdet.registry import PARAM_SCHEDULERS
from mmengine.config import Config
from torch import nn

from m2det_mmdet.recipes import schedule
from m2det_mmdet.recipes.error import RecipeError
from m2det_mmdet.recipes.schedule import (
    epoch_length,
    set_epochs,
    set_minutes,
    without_validation,
)


def _config(schedulers: list[dict] | None, **train_cfg: object) -> Config:
    return Config(
        {
            'train_cfg': {'type': 'EpochBasedTrainLoop', **train_cfg},
            'val_cfg': {'type': 'ValLoop'},
            'val_dataloader': {'batch_size': 1},
            'val_evaluator': {'type': 'CocoMetric'},
            'train_dataloader': {'sampler': {'type': 'InfiniteSampler'}},
            'param_scheduler': schedulers,
        }
    )


def _scaled(
    schedulers: list[dict], epochs: int, length: int, **train_cfg: object
) -> list[dict]:
    cfg = _config(schedulers, **train_cfg)
    set_epochs(cfg, epochs, length)
    assert cfg.train_cfg == {'type': 'EpochBasedTrainLoop', 'max_epochs': epochs}
    return [dict(scheduler) for scheduler in cfg.param_scheduler]


def test_a_scaled_schedule_is_scaled_again() -> None:
    warm_up = {'type': 'LinearLR', 'by_epoch': False, 'begin': 0, 'end': 5}
    steps = {'type': 'MultiStepLR', 'by_epoch': True, 'milestones': [8, 11]}
    cfg = _config([warm_up, steps], max_epochs=12)

    set_epochs(cfg, 6, 10)
    # Of other data, say.
    set_epochs(cfg, 24, 100)

    assert [x.get('end') for x in cfg.param_scheduler] == [5, None]
    assert cfg.param_scheduler[1].milestones == [1600, 2200]
    assert cfg.train_cfg.max_epochs == 24


def test_the_epochs_between_validations_stay() -> None:
    cfg = _config([], max_epochs=12, val_interval=4)
    set_epochs(cfg, 6, 10)
    assert cfg.train_cfg.val_interval == 4

    # A number of iterations, of which an epoch has others.
    cfg = _config([], max_iters=12, val_interval=4)
    set_epochs(cfg, 6, 10)
    assert 'val_interval' not in cfg.train_cfg


def test_epochs_scale_with_the_run_and_short_warm_ups_are_kept() -> None:
    # mmdet's schedule_1x at 6 epochs of 1000 iterations: half as long.
    schedule = [
        {
            'type': 'LinearLR',
            'start_factor': 0.001,
            'by_epoch': False,
            'begin': 0,
            'end': 500,
        },
        {
            'type': 'MultiStepLR',
            'begin': 0,
            'end': 12,
            'by_epoch': True,
            'milestones': [8, 11],
        },
    ]

    warm_up, steps = _scaled(schedule, 6, 1000, max_epochs=12)

    assert (warm_up['begin'], warm_up['end']) == (0, 500)
    assert (steps['begin'], steps['end'], steps['by_epoch']) == (0, 6000, False)
    # 8 / 12 and 11 / 12 of 6000: the second within an epoch.
    assert steps['milestones'] == [4000, 5500]


def test_a_warm_up_takes_at_most_a_tenth_of_the_run() -> None:
    schedule = [
        {'type': 'LinearLR', 'by_epoch': False, 'begin': 0, 'end': 500},
        {'type': 'CosineAnnealingLR', 'T_max': 18, 'convert_to_iter_based': True},
    ]

    warm_up, cosine = _scaled(schedule, 2, 50, max_epochs=18)

    assert warm_up['end'] == 10
    assert cosine == {'type': 'CosineAnnealingLR', 'T_max': 100, 'by_epoch': False}


def test_a_warm_up_of_one_iteration_would_never_end_and_is_left_out() -> None:
    schedule = [{'type': 'LinearLR', 'by_epoch': False, 'begin': 0, 'end': 500}]

    assert _scaled(schedule, 1, 14, max_epochs=12) == []
    assert [s['end'] for s in _scaled(schedule, 2, 10, max_epochs=12)] == [2]


def test_warm_ups_in_epochs_scale_with_the_run() -> None:
    schedule = [
        {'type': 'QuadraticWarmupLR', 'begin': 0, 'end': 5},
        {'type': 'CosineAnnealingLR', 'begin': 5, 'T_max': 285, 'end': 285},
        {'type': 'ConstantLR', 'begin': 285, 'end': 300, 'factor': 1},
        {'type': 'WarmupStepLR', 'warmup': 6, 'milestones': [90, 120]},
        {'type': 'ExponentialLR', 'gamma': 0.9},
    ]

    found = _scaled(schedule, 30, 10, max_epochs=300)

    # One new iteration for each old epoch.
    assert [(s.get('begin'), s.get('end')) for s in found[:3]] == [
        (0, 5),
        (5, 285),
        (285, 300),
    ]
    assert found[1]['T_max'] == 285
    assert (found[3]['warmup'], found[3]['milestones']) == (6, [90, 120])
    assert found[4]['gamma'] == 0.9


@pytest.mark.parametrize(
    ('by_epoch', 'length'), [(True, {'max_epochs': 10}), (False, {'max_iters': 10})]
)
def test_a_rate_that_decays_at_each_step_decays_as_much_over_the_run(
    by_epoch: bool, length: dict
) -> None:
    decay = {'type': 'ExponentialLR', 'gamma': 0.9, 'by_epoch': by_epoch}

    (found,) = _scaled([decay], 4, 5, **length)

    # 0.9 ** 10 after 10 epochs or iterations, and after 20 iterations.
    assert found['gamma'] ** 20 == pytest.approx(0.9**10)


@pytest.mark.parametrize(
    ('scheduler', 'key', 'expected'),
    [
        ({'type': 'StepLR', 'step_size': 3}, 'step_size', 15),
        ({'type': 'CosineRestartLR', 'periods': [4, 8]}, 'periods', [20, 40]),
    ],
)
def test_lengths_and_periods_scale_with_the_run(
    scheduler: dict, key: str, expected: int | list[int]
) -> None:
    (found,) = _scaled([scheduler], 6, 10, max_epochs=12)

    assert found[key] == expected


@pytest.mark.parametrize(
    ('scheduler', 'times'),
    [
        ({'type': 'LinearLR', 'start_factor': 1.0, 'end_factor': 0.1}, (0, 400)),
        ({'type': 'ConstantLR', 'factor': 0.5}, (400, 800)),
    ],
    ids=['a fall', 'later'],
)
def test_what_is_no_warm_up_scales_with_the_run(
    scheduler: dict, times: tuple[int, int]
) -> None:
    begin, end = times
    scheduler = {**scheduler, 'by_epoch': False, 'begin': begin, 'end': end}

    (found,) = _scaled([scheduler], 20, 100, max_iters=1000)

    assert (found['begin'], found['end']) == (2 * begin, 2 * end)


def test_a_momentum_warms_up_as_a_rate_does() -> None:
    warm_up = {'type': 'LinearMomentum', 'by_epoch': False, 'begin': 0, 'end': 500}

    (found,) = _scaled([warm_up], 6, 1000, max_epochs=12)

    assert found['end'] == 500


def test_a_run_in_iterations_becomes_one_in_epochs() -> None:
    schedule = [
        {'type': 'LinearLR', 'by_epoch': False, 'begin': 0, 'end': 1000},
        {'type': 'MultiStepLR', 'by_epoch': False, 'milestones': [80000, 100000]},
    ]
    cfg = _config(schedule, max_iters=120000)

    set_epochs(cfg, 3, 400)

    warm_up, steps = cfg.param_scheduler
    assert warm_up.end == 120
    assert steps.milestones == [800, 1000]
    assert cfg.train_dataloader.sampler.type == 'DefaultSampler'
    assert cfg.log_processor.by_epoch is True
    assert cfg.val_dataloader.batch_size == 1


def test_validations_can_be_left_out() -> None:
    cfg = _config(None, max_epochs=1)

    without_validation(cfg)

    assert (cfg.val_cfg, cfg.val_dataloader, cfg.val_evaluator) == (None, None, None)


def test_what_follows_a_warm_up_is_counted_from_its_end() -> None:
    warm_up = {'type': 'LinearLR', 'by_epoch': False, 'begin': 0, 'end': 100}
    rest = {'begin': 100, 'end': 1000, 'by_epoch': False}
    schedule = [
        warm_up,
        {'type': 'CosineAnnealingLR', 'T_max': 900, **rest},
        {'type': 'MultiStepLR', 'milestones': [600, 800], **rest},
    ]

    _, cosine, steps = _scaled(schedule, 50, 100, max_iters=1000)

    # The warm-up stays at 100 of now 5000 iterations.
    assert (cosine['begin'], cosine['T_max'], cosine['end']) == (100, 4900, 5000)
    # Steps at 700 and 900 of 1000, which milestones count from begin.
    assert steps['milestones'] == [3400, 4400]


@pytest.mark.parametrize('scope', ['', 'mmengine.'])
def test_a_scope_changes_nothing(scope: str) -> None:
    warm_up = {'type': f'{scope}LinearLR', 'by_epoch': False, 'begin': 0, 'end': 500}
    decay = {'type': f'{scope}ExponentialLR', 'gamma': 0.9}

    first, second = _scaled([warm_up, decay], 6, 1000, max_epochs=12)

    assert first['end'] == 500
    assert second['gamma'] ** 6000 == pytest.approx(0.9**12)


def test_nothing_steps_back_behind_a_warm_up_that_is_cut() -> None:
    # The warm-up takes 100 of 1000 iterations, so that 1500 of 20000 lie within it.
    warm_up = {'type': 'LinearLR', 'by_epoch': False, 'begin': 0, 'end': 1000}
    flat = {'type': 'ConstantLR', 'by_epoch': False, 'begin': 1000, 'end': 1800}
    steps = {'type': 'MultiStepLR', 'by_epoch': False, 'begin': 1000}
    schedule = [warm_up, flat, {**steps, 'milestones': [500, 14000]}]

    first, second = _scaled(schedule, 1, 1000, max_iters=20000)

    assert first['end'] == 100
    assert (second['begin'], second['milestones']) == (100, [0, 650])


def _rates(schedulers: Sequence[dict], length: int, iterations: int) -> list[float]:
    """Learning rates that MMEngine's schedulers set, as its runner calls them."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=1.0)
    built = []
    for settings in map(dict, schedulers):
        kind = PARAM_SCHEDULERS.get(settings.pop('type'))
        if settings.pop('convert_to_iter_based', False):
            build, settings['epoch_length'] = kind.build_iter_from_epoch, length
        else:
            build = kind
        built.append(build(optimizer, **settings))
    rates = []
    for iteration in range(1, iterations + 1):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in built:
            if not scheduler.by_epoch or iteration % length == 0:
                scheduler.step()
    return rates


WARM_UP = {
    'type': 'LinearLR',
    'start_factor': 0.001,
    'by_epoch': False,
    'begin': 0,
    'end': 50,
}
ITERATIONS = {'by_epoch': True, 'convert_to_iter_based': True}


@pytest.mark.parametrize(
    'schedule',
    [
        [WARM_UP, {'type': 'MultiStepLR', 'milestones': [8, 11]}],
        [WARM_UP, {'type': 'CosineAnnealingLR', 'T_max': 12, **ITERATIONS}],
        [{'type': 'PolyLR', 'power': 0.9, 'begin': 0, 'end': 12, **ITERATIONS}],
        [{'type': 'OneCycleLR', 'eta_max': 1.0, 'total_steps': 12, **ITERATIONS}],
        [{'type': 'LinearLR', 'end': 3, **ITERATIONS}],
        [
            {'type': 'QuadraticWarmupLR', 'begin': 0, 'end': 2, **ITERATIONS},
            {
                'type': 'CosineAnnealingLR',
                'eta_min': 0.05,
                'begin': 2,
                'end': 10,
                'T_max': 8,
                **ITERATIONS,
            },
        ],
        [
            {
                'type': 'WarmupStepLR',
                'warmup': 2,
                'milestones': [8, 10],
                'factors': [0.1, 0.03],
                **ITERATIONS,
            }
        ],
    ],
)
@pytest.mark.parametrize('epochs', [6, 30])
def test_rates_are_those_of_the_same_part_of_the_own_run(
    schedule: list[dict], epochs: int
) -> None:
    old_length, new_length = 100, 70

    scaled = _scaled(schedule, epochs, new_length, max_epochs=12)

    old = _rates(schedule, old_length, 12 * old_length)
    new = _rates(scaled, new_length, epochs * new_length)
    # After the warm-ups that keep their length, between the steps.
    for part in (0.13, 0.3, 0.5, 0.65, 0.7, 0.8, 0.9, 0.95, 0.99):
        expected = old[int(part * len(old))]
        assert new[int(part * len(new))] == pytest.approx(expected, abs=0.01)
    assert new[-1] == pytest.approx(old[-1], abs=1e-3)


@pytest.mark.parametrize('epochs', [4, 40])
def test_rates_of_a_run_in_iterations_are_kept_too(epochs: int) -> None:
    rest = {'begin': 50, 'end': 1000, 'by_epoch': False}
    schedule = [WARM_UP, {'type': 'CosineAnnealingLR', 'T_max': 950, **rest}]

    scaled = _scaled(schedule, epochs, 200, max_iters=1000)

    old, new = _rates(schedule, 1, 1000), _rates(scaled, 1, epochs * 200)
    for part in (0.2, 0.5, 0.8, 0.99):
        expected = old[int(part * len(old))]
        assert new[int(part * len(new))] == pytest.approx(expected, abs=0.04)
    assert new[-1] == pytest.approx(0, abs=1e-3)


def test_what_was_scaled_is_told() -> None:
    schedule = [
        {'type': 'LinearLR', 'by_epoch': False, 'begin': 0, 'end': 500},
        {'type': 'MultiStepLR', 'milestones': [8, 11]},
    ]
    cfg = _config(schedule, max_epochs=12)
    cfg.custom_hooks = [
        {'type': 'PipelineSwitchHook', 'switch_epoch': 10},
        {'type': 'EMAHook', 'begin_iter': 900},
    ]

    assert set_epochs(cfg, 2, 6) == [
        'LinearLR(begin=0, end=500) in iterations would be too short and is left out',
        'MultiStepLR(milestones=[8, 11]) in epochs became '
        'MultiStepLR(milestones=[8, 11]) in 12 iterations',
        'EMAHook.begin_iter=900 became 1 of 12 iterations',
        'PipelineSwitchHook.switch_epoch=10 of 12 epochs became 1 of 2',
    ]
    assert [hook.get('begin_iter') for hook in cfg.custom_hooks] == [None, 1]


def test_the_iteration_of_a_hook_scales_with_a_run_in_iterations() -> None:
    cfg = _config([], max_iters=1000)
    cfg.custom_hooks = [{'type': 'EMAHook', 'begin_iter': 400}]

    set_epochs(cfg, 3, 10)

    assert cfg.custom_hooks[0].begin_iter == 12


def test_minutes_tell_what_waits_for_an_epoch() -> None:
    cfg = _config([], max_epochs=300)
    cfg.custom_hooks = [{'type': 'PipelineSwitchHook', 'switch_epoch': 280}]

    assert set_minutes(cfg, 1) == [
        'PipelineSwitchHook.switch_epoch=280 counts epochs, which the minutes may not '
        'reach'
    ]


@pytest.mark.parametrize(
    ('scheduler', 'train_cfg', 'message'),
    [
        (
            {'type': 'StepLR', 'end': 9, 'by_epoch': False},
            {'max_epochs': 3},
            'counts 9',
        ),
        ({'type': 'StepLR', 'end': 9}, {'max_iters': 3}, 'set by_epoch=False'),
        ({'type': 'StepLR', 'end': 9}, {}, 'neither max_epochs nor max_iters'),
        (
            {'type': 'CosineAnnealingLR', 'T_max': 700, 'by_epoch': False},
            {'max_epochs': 3},
            'counts 700',
        ),
        ({'type': 'ReduceOnPlateauLR'}, {'max_epochs': 3}, 'waits for figures of val'),
    ],
)
def test_a_schedule_of_unknown_length_is_refused(
    scheduler: dict, train_cfg: dict, message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        set_epochs(_config([scheduler], **train_cfg), 2, 10)


def test_schedules_of_several_optimizers_are_refused() -> None:
    cfg = _config(None, max_epochs=3)
    cfg.param_scheduler = {'generator': [{'type': 'StepLR'}]}

    with pytest.raises(RecipeError, match='several optimizers'):
        set_epochs(cfg, 2, 10)


def test_minutes_take_the_place_of_the_schedule() -> None:
    cfg = _config([{'type': 'StepLR', 'step_size': 2}], max_epochs=3)

    set_minutes(cfg, 7.5)

    assert cfg.param_scheduler is None
    assert cfg.train_cfg.type == 'TimeBudgetTrainLoop'
    assert cfg.custom_hooks == [{'type': 'TimeBudgetHook', 'minutes': 7.5}]


@pytest.mark.parametrize(
    ('loader', 'length'),
    [
        ({}, 7),
        ({'batch_size': 3}, 3),
        ({'batch_size': 3, 'drop_last': True}, 2),
        ({'batch_sampler': {'batch_size': 2}}, 4),
        ({'batch_sampler': {'batch_size': 2, 'drop_last': True}}, 3),
    ],
)
def test_an_epoch_of_seven_images_has_as_many_batches_as_its_loader(
    loader: dict, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, 'count_images', lambda cfg, key: 7)

    assert epoch_length(Config({'train_dataloader': loader})) == length


def test_each_of_several_processes_has_its_part_of_an_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schedule, 'count_images', lambda cfg, key: 7)
    monkeypatch.setattr(schedule, 'get_world_size', lambda: 2)

    # Four images of each, in twos.
    assert epoch_length(Config({'train_dataloader': {'batch_size': 2}})) == 2
