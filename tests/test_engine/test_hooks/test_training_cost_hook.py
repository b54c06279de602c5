import math
from types import SimpleNamespace

import pytest
from mmengine.logging import MessageHub

from m2det_mmdet.checkpoints.errors import CheckpointError
from m2det_mmdet.engine import TrainingCostHook
from m2det_mmdet.engine.hooks import training_cost_hook


@pytest.mark.parametrize(
    'runs',
    [[[7, 3]], [[3, 7]], [[7], [3]], [[3], [7]]],
    ids=['epochs, falling', 'epochs, rising', 'resumed, falling', 'resumed, rising'],
)
def test_the_memory_is_the_largest_of_all_epochs_and_runs(
    runs: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = MessageHub('memory')
    runner = SimpleNamespace(message_hub=hub, iter=1, train_dataloader=[None])
    for peaks in runs:
        hook = TrainingCostHook()
        hook.before_train(runner)
        for peak in peaks:
            monkeypatch.setattr(
                training_cost_hook, 'peak_memory', lambda _, peak=peak: peak
            )
            hook.before_train_epoch(runner)
            hook.after_train_epoch(runner)

    assert hub.get_info('training_peak_memory') == 7


@pytest.mark.parametrize(
    ('key', 'value', 'shown'),
    [
        ('training_seconds', 'x', "'x'"),
        ('training_seconds', math.nan, 'nan'),
        ('training_peak_memory', -1, '-1'),
    ],
)
def test_counts_of_a_checkpoint_are_checked(
    key: str, value: object, shown: str
) -> None:
    hub = MessageHub('strange')
    hub.update_info(key, value)
    with pytest.raises(CheckpointError, match=f'{key} is {shown}; take another'):
        TrainingCostHook().before_train(SimpleNamespace(message_hub=hub))
