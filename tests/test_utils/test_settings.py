import logging
from typing import Any

import pytest
from mmengine.config import Config

from m2det_mmdet.utils import settings
from m2det_mmdet.utils.errors import M2DetError
from m2det_mmdet.utils.settings import amend


@pytest.fixture
def cfg() -> Config:
    return Config(
        {
            'data_root': 'data/',
            'model': {'type': 'M2Det', 'neck': {'type': 'MLFPN', 'num_levels': 8}},
            'train_dataloader': {'batch_size': 8, 'dataset': {'data_root': 'data/'}},
            'param_scheduler': [{'type': 'LinearLR', 'end': 5}],
        }
    )


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is said in the log."""
    said = []

    def keep(message: str, logger: str, level: int) -> None:
        assert (logger, level) == ('current', logging.WARNING)
        said.append(message)

    monkeypatch.setattr(settings, 'print_log', keep)
    return said


@pytest.mark.parametrize(
    ('key', 'hint'),
    [
        ('train_dataloder.batch_size', 'did you mean train_dataloader or '),
        # MMEngine imports while it reads the file, not later.
        ('custom_imports.imports', 'did you mean custom_hooks?'),
        ('resum', 'did you mean resume?'),
        ('data_rot', 'did you mean data_root?'),
        ('modle.neck.num_levels', 'did you mean model?'),
        ('zzz', 'check its name.'),
    ],
)
def test_a_key_that_nothing_reads_is_refused(cfg: Config, key: str, hint: str) -> None:
    before = cfg.to_dict()

    with pytest.raises(M2DetError) as found:
        amend(cfg, {key: 2}, 'mine')

    message = str(found.value)
    assert message.startswith(
        f'The setting {key}=2 would change nothing, since neither the config mine nor '
        f'the runner knows {key.split(".")[0]}: {hint}'
    )
    assert cfg.to_dict() == before


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('model.neck.norm_cfg.type', 'BN'),
        ('model.neck.num_levels', 2),
        ('param_scheduler.0.end', 9),
        ('randomness.seed', 1),
        ('resume', True),
        ('load_from', 'a.pth'),
        ('auto_scale_lr.enable', True),
        ('custom_hooks', []),
        ('compile', True),
        ('cfg', {}),
        ('tta_model.type', 'DetTTAModel'),
        ('sync_bn', 'torch'),
        ('find_unused_parameters', True),
        ('work_dir', 'here'),
    ],
)
def test_a_key_that_is_read_may_be_new(
    cfg: Config, key: str, value: Any, warnings: list[str]
) -> None:
    amend(cfg, {key: value}, 'mine')

    found = cfg
    for part in key.split('.'):
        found = found[int(part)] if part.isdigit() else found[part]
    assert found == value
    assert warnings == []


def test_a_variable_that_was_used_already_draws_a_warning(
    cfg: Config, warnings: list[str]
) -> None:
    amend(cfg, {'data_root': 'mine/'}, 'mine')

    assert cfg.data_root == 'mine/'
    (warning,) = warnings
    assert warning.startswith('The setting data_root=mine/ alone changes nothing: ')


@pytest.mark.parametrize(
    ('key', 'question'),
    [
        ('train_dataloader.batchsize', 'did you mean batch_size?'),
        ('train_dataloader.datset.data_root', 'did you mean dataset?'),
        ('model.neck.num_level', 'did you mean num_levels?'),
    ],
)
def test_a_new_key_that_resembles_another_draws_a_warning(
    cfg: Config, key: str, question: str, warnings: list[str]
) -> None:
    amend(cfg, {key: 3}, 'mine')

    assert warnings == [f'The setting {key}=3 is new in the config mine: {question}']


def test_a_runner_of_another_kind_may_read_more(cfg: Config) -> None:
    cfg.runner_type = 'Mine'

    amend(cfg, {'strategy.type': 'DDPStrategy'}, 'mine')

    assert cfg.strategy.type == 'DDPStrategy'
