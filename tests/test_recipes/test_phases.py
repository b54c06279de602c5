from types import SimpleNamespace
from typing import Any

import pytest
from mmdet.engine.hooks import PipelineSwitchHook, YOLOXModeSwitchHook
from mmengine.config import Config
from mmengine.hooks import EMAHook, Hook
from mmengine.hub import get_config

from m2det_mmdet.recipes.phases import move_switches


class Head:
    """Notes whether it was switched."""

    use_l1 = False


class Data(SimpleNamespace):
    """A data set whose pipeline can be switched."""

    pipeline = None

    def update_skip_type_keys(self, _keys: Any) -> None:
        """Do what mmdet's wrapper does."""


def _switched_in(hook: Hook, epochs: int) -> list[int]:
    """Epochs, from 0, in which a hook of mmdet has switched, asked as by a runner."""
    head = Head()
    runner = SimpleNamespace(
        max_epochs=epochs,
        train_dataloader=SimpleNamespace(dataset=Data()),
        model=SimpleNamespace(bbox_head=head),
        logger=SimpleNamespace(info=lambda _: None),
    )
    switched = []
    for runner.epoch in range(epochs):
        hook.before_train_epoch(runner)
        switched += [runner.epoch] if hook._has_switched else []
    return switched


def _moved(hooks: list[dict], old: int, new: int, **config: object) -> Config:
    cfg = Config({'custom_hooks': hooks, **config})
    move_switches(cfg, old, new)
    return cfg


@pytest.mark.parametrize(
    ('epochs', 'switched'),
    [
        # One epoch is of the longer phase, two are one of each, 30 are as 300.
        (1, []),
        (2, [1]),
        (5, [4]),
        (7, [6]),
        (8, [7]),
        (30, [28, 29]),
    ],
)
@pytest.mark.parametrize(
    ('config', 'kind'),
    [
        ('rtmdet/rtmdet_tiny_8xb32-300e_coco', PipelineSwitchHook),
        ('yolox/yolox_tiny_8xb8-300e_coco', YOLOXModeSwitchHook),
    ],
)
def test_a_detector_of_300_epochs_switches_in_a_short_run(
    config: str, kind: type[Hook], epochs: int, switched: list[int]
) -> None:
    cfg = get_config(f'mmdet::{config}.py')

    move_switches(cfg, 300, epochs)

    (settings,) = (hook for hook in cfg.custom_hooks if hook.type == kind.__name__)
    arguments = {key: settings[key] for key in settings if key.endswith('epoch')}
    arguments |= {key: settings[key] for key in settings if key == 'num_last_epochs'}
    if kind is PipelineSwitchHook:
        arguments['switch_pipeline'] = []
    assert _switched_in(kind(**arguments), epochs) == switched


def test_the_default_of_a_hook_moves_too() -> None:
    # It is 15: nothing but the second phase in a run of 6.
    cfg = _moved([{'type': 'YOLOXModeSwitchHook'}], 300, 6)

    assert cfg.custom_hooks[0].num_last_epochs == 0
    assert _switched_in(YOLOXModeSwitchHook(num_last_epochs=0), 6) == [5]


@pytest.mark.parametrize(
    ('new', 'places'),
    [(3, [1, 2]), (4, [2, 3]), (10, [8, 9]), (30, [28, 29]), (2, [2, 2])],
)
def test_each_of_three_phases_keeps_an_epoch_where_there_are_three(
    new: int, places: list[int]
) -> None:
    hooks = [{'type': 'PipelineSwitchHook', 'switch_epoch': at} for at in (280, 290)]

    cfg = _moved(hooks, 300, new)

    assert [hook.switch_epoch for hook in cfg.custom_hooks] == places


def test_places_are_kept_where_the_length_is() -> None:
    hooks = [
        {'type': 'PipelineSwitchHook', 'switch_epoch': 280},
        {'type': 'YOLOXModeSwitchHook', 'num_last_epochs': 15},
        {'type': 'EMAHook', 'begin_epoch': 100},
        {'type': 'Unheard', 'switch_epoch': 300},
    ]
    cfg = Config({'custom_hooks': hooks})

    assert move_switches(cfg, 300, 300) == []
    assert cfg.custom_hooks == hooks


@pytest.mark.parametrize(
    ('begin', 'new', 'found'), [(100, 30, 11), (290, 1, 1), (2, 10, 2), (0, 10, 0)]
)
def test_an_average_begins_within_the_run(begin: int, new: int, found: int) -> None:
    cfg = _moved([{'type': 'EMAHook', 'begin_epoch': begin}], 300, new)

    hook = EMAHook(begin_epoch=cfg.custom_hooks[0].begin_epoch)
    assert hook.begin_epoch == found
    hook.before_train(SimpleNamespace(max_epochs=new, max_iters=new))


def test_hooks_in_any_place_move() -> None:
    hook = {'type': 'EMAHook', 'begin_epoch': 101}

    cfg = _moved([], 300, 30, default_hooks={'mine': hook, 'timer': None})

    assert cfg.default_hooks.mine.begin_epoch == 11


def test_an_assigner_of_the_first_epochs_serves_the_same_part() -> None:
    cfg = get_config('mmdet::tood/tood_r50_fpn_1x_coco.py')

    remarks = move_switches(cfg, 12, 6)

    assert cfg.model.train_cfg.initial_epoch == 2
    assert remarks == ['model.initial_epoch=4 of 12 epochs became 2 of 6']
