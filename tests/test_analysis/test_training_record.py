import json
from pathlib import Path

import pytest

from m2det_mmdet.analysis.training_record import TrainingRecord, read_record


def write(work_dir: Path, time: str, lines: list) -> None:
    file = work_dir / time / 'vis_data' / 'scalars.json'
    file.parent.mkdir(parents=True)
    text = '\n'.join(x if isinstance(x, str) else json.dumps(x) for x in lines)
    file.write_text(text)


def train_line(step: int, loss: float, epoch: int) -> dict:
    return {
        'lr': 0.1 / step, 'data_time': 1.0, 'loss_cls': loss / 2, 'loss': loss,
        'time': 3.0, 'epoch': epoch, 'iter': step, 'memory': 9, 'step': step,
    }  # fmt: skip


def val_line(step: int, ap: float) -> dict:
    return {'coco/bbox_mAP': ap, 'data_time': 1.0, 'time': 2.0, 'step': step}


def test_losses_rates_and_figures_are_read(tmp_path: Path) -> None:
    lines = [train_line(10, 4.0, 1), val_line(1, 0.2), train_line(20, 2.0, 2)]
    write(tmp_path, '20260101_000000', [*lines, '{"loss": 1, "st'])

    record = read_record(tmp_path)

    # The sum comes first, whatever the order in the file; times are not of the
    # detector.
    assert list(record.losses) == ['loss', 'loss_cls']
    assert record.losses['loss'] == {10: 4.0, 20: 2.0}
    assert record.learning_rates == {10: 0.01, 20: 0.005}
    assert record.figures == {'coco/bbox_mAP': {1: 0.2}}
    assert record.by_epoch


def test_what_a_resumed_training_repeats_counts_once(tmp_path: Path) -> None:
    first = [
        train_line(10, 4.0, 1), val_line(1, 0.2), train_line(20, 3.0, 2),
        val_line(2, 0.3), train_line(30, 9.0, 3),
    ]  # fmt: skip
    write(tmp_path, '20260101_000000', first)
    # Resumed after the first epoch.
    second = [train_line(20, 2.5, 2), val_line(2, 0.4)]
    write(tmp_path, '20260102_000000', second)

    record = read_record(tmp_path)

    assert record.losses['loss'] == {10: 4.0, 20: 2.5}
    assert record.figures['coco/bbox_mAP'] == {1: 0.2, 2: 0.4}


def test_a_training_that_began_anew_stands_alone(tmp_path: Path) -> None:
    write(tmp_path, '20260101_000000', [train_line(10, 4.0, 1), train_line(20, 3.0, 1)])
    write(tmp_path, '20260102_000000', [train_line(10, 5.0, 1)])

    assert read_record(tmp_path).losses['loss'] == {10: 5.0}


def test_trainings_by_iterations_have_figures_by_iteration(tmp_path: Path) -> None:
    write(tmp_path, '20260101_000000', [train_line(10, 4.0, 1), val_line(10, 0.2)])

    assert not read_record(tmp_path).by_epoch


def test_figures_that_are_no_numbers_are_left_out(tmp_path: Path) -> None:
    lines = ['{"loss": NaN, "lr": 0.1, "step": 1}', '[1]', '{"step": "x"}', '']
    write(tmp_path, '20260101_000000', lines)

    record = read_record(tmp_path)

    assert record.losses == {}
    assert record.learning_rates == {1: 0.1}


def test_a_folder_without_trainings_has_an_empty_record(tmp_path: Path) -> None:
    assert read_record(tmp_path) == TrainingRecord()


@pytest.mark.parametrize(
    ('resume', 'losses'), [(False, {50: 5.0}), (True, {10: 4.0, 50: 5.0})]
)
def test_what_was_before_a_training_that_began_anew_is_left_out(
    tmp_path: Path, resume: bool, losses: dict
) -> None:
    write(tmp_path, '20260101_000000', [train_line(10, 4.0, 1), val_line(1, 0.2)])
    write(tmp_path, '20260102_000000', [train_line(50, 5.0, 2)])
    config = tmp_path / '20260102_000000' / 'vis_data' / 'config.py'
    config.write_text(f'optimizer = dict(lr=1)\nresume = {resume}\nwork_dir = 1\n')

    record = read_record(tmp_path)

    assert record.losses['loss'] == losses
    # The one that began anew is not validated.
    assert bool(record.figures) == resume
