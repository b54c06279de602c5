import csv
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.logging import MessageHub

from m2det_mmdet.engine.hooks import ResultsTableHook


def _runner(folder: Path, epoch: int = 0) -> SimpleNamespace:
    hub = MessageHub(f'results {folder} {epoch}')
    return SimpleNamespace(
        message_hub=hub,
        work_dir=str(folder),
        rank=0,
        epoch=epoch,
        train_dataloader=[None, None],
    )


def _train_epoch(
    hook: ResultsTableHook, runner: SimpleNamespace, losses: tuple[float, float]
) -> None:
    """An epoch of two batches, as a runner calls its hooks."""
    hook.before_train_epoch(runner)
    for loss in losses:
        runner.message_hub.update_scalar('train/loss', loss)
    runner.message_hub.update_scalar('train/lr', 0.01)
    hook.after_train_epoch(runner)
    runner.epoch += 1


def _rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / 'results.csv', newline='') as file:
        return list(csv.DictReader(file))


def test_a_row_has_the_losses_and_figures_of_its_epoch(tmp_path: Path) -> None:
    runner, hook = _runner(tmp_path), ResultsTableHook()
    hook.before_train(runner)
    _train_epoch(hook, runner, (4.0, 2.0))
    _train_epoch(hook, runner, (1.0, 2.0))
    hook.after_val_epoch(runner, {'coco/bbox_mAP': 0.25})

    rows = _rows(tmp_path)
    assert [row['epoch'] for row in rows] == ['1', '2']
    assert [row['loss'] for row in rows] == ['3', '1.5']
    assert [row['learning_rate'] for row in rows] == ['0.01', '0.01']
    assert [row['coco/bbox_mAP'] for row in rows] == ['', '0.25']


@pytest.mark.parametrize('resumed', [1, 0])
def test_a_resumed_training_keeps_the_rows_before_it(
    tmp_path: Path, resumed: int
) -> None:
    runner, hook = _runner(tmp_path), ResultsTableHook()
    hook.before_train(runner)
    _train_epoch(hook, runner, (4.0, 2.0))
    _train_epoch(hook, runner, (8.0, 8.0))
    # Interrupted after the second epoch, of which there is no checkpoint.
    runner, hook = _runner(tmp_path, resumed), ResultsTableHook()
    hook.before_train(runner)
    _train_epoch(hook, runner, (1.0, 1.0))

    assert [row['loss'] for row in _rows(tmp_path)] == ['3', '1'][1 - resumed :]


def test_a_table_that_somebody_edited_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / 'results.csv').write_text('epoch,loss\nx,1\n1,3\n')
    runner, hook = _runner(tmp_path, 1), ResultsTableHook()
    hook.before_train(runner)
    _train_epoch(hook, runner, (1.0, 1.0))

    assert [row['loss'] for row in _rows(tmp_path)] == ['3', '1']
