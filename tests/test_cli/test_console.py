from dataclasses import replace
from math import nan
from pathlib import Path

import pytest

from m2det_mmdet.apis import (
    DataCheck,
    DataRead,
    Evaluated,
    Step,
    TrainingResult,
    TrainingStarted,
)
from m2det_mmdet.cli.console import TrainingConsole, format_ap

STARTED = TrainingStarted(
    config='mine',
    model='M2Det',
    parameters=1_234_567,
    device='CPU, one thread',
    images={'train': 1234, 'val': 56},
    classes=tuple('abcdefghijkl'),
    epochs=18,
    iterations=3366,
    batch_size=16,
    resumed_from=Path('epoch_3.pth'),
    start=None,
    left_out=None,
    work_dir=Path('work'),
    log=Path('work/a.log'),
)
RESULT = TrainingResult(
    work_dir=Path('work'),
    config=Path('work/mine_full.py'),
    log=Path('work/a.log'),
    checkpoint=Path('my work/epoch_18.pth'),
    best_checkpoint=None,
    epochs=18,
    iterations=3366,
    seconds=3723.4,
    metrics={},
)


def test_a_training_that_ended_early_says_so(capsys: pytest.CaptureFixture) -> None:
    with TrainingConsole(None) as console:
        console.show(Step('train', 7, 18, 187, 187))
        console.close(replace(RESULT, epochs=7, iterations=1309))

    output = capsys.readouterr().out
    assert 'Trained to epoch 7 of 18 (iteration 1309) in 1:02:03.\n' in output


def test_a_training_is_shown_in_plain_lines(capsys: pytest.CaptureFixture) -> None:
    with TrainingConsole('my config.py') as console:
        console.show(STARTED)
        for batch in (49, 50, 51, 187):
            console.show(Step('train', 4, 18, batch, 187, 12.345678, 0.004, 730))
        console.show(Step('val', 4, None, 1, 4))
        console.show(Evaluated('val', 4, {'coco/bbox_mAP': 0.25}))
        console.close(RESULT)

    assert capsys.readouterr().out.splitlines() == [
        'Training mine (M2Det, 1.23 M parameters) on CPU, one thread',
        'Data: 1,234 images to learn from, 56 images to validate on',
        'Classes: 12 (a, b, c, d, e, f, g, h, i, j, and 2 more)',
        'Length: 18 epochs, 3,366 iterations of 16 images',
        'Resuming from epoch_3.pth',
        'Log: work/a.log',
        'epoch 4/18, batch 50/187, loss 12.35, learning rate 0.004, 0:12:10 left',
        'epoch 4/18, loss 12.35, learning rate 0.004, 0:12:10 left: AP 0.250',
        'Trained to epoch 18 (iteration 3366) in 1:02:03.',
        'Last checkpoint: my work/epoch_18.pth',
        "Next: m2det test 'my config.py' 'my work/epoch_18.pth'",
        "      m2det predict 'my config.py' 'my work/epoch_18.pth' IMAGES",
    ]


def test_an_epoch_without_validation_has_its_line(
    capsys: pytest.CaptureFixture,
) -> None:
    with TrainingConsole('c') as console:
        for epoch in (1, 2):
            console.show(Step('train', epoch, 2, 9, 9, 1.5))
        console.close(replace(RESULT, checkpoint=None))

    assert capsys.readouterr().out.splitlines()[:2] == [
        'epoch 1/2, batch 9/9, loss 1.5',
        'epoch 2/2, batch 9/9, loss 1.5',
    ]


def test_a_run_on_own_data_tells_what_is_in_them_and_where_it_begins(
    capsys: pytest.CaptureFixture,
) -> None:
    check = DataCheck(
        root=Path('cells'),
        form='voc',
        classes=('red',),
        images={'train': 2, 'val': 1},
        objects={'train': {'red': 5}, 'val': {'red': 1}},
        split_seed=3,
        findings=[],
        seconds=0.1,
    )
    with TrainingConsole(None) as console:
        console.show(
            DataRead(check, Path('work'), 'small', 'zoo', 30, ('Anchors were fitted.',))
        )
        console.show(replace(STARTED, start='zoo', left_out='4 of 98 tensors, in head'))

    lines = capsys.readouterr().out.splitlines()
    assert 'cells, in the form of VOC: train 2 images with 5 objects, val' in lines[0]
    assert 'The split was made here, with the seed 3.' in lines
    assert 'Anchors were fitted.' in lines
    assert 'Run: work' in lines
    assert 'Weights: zoo; at random: 4 of 98 tensors, in head' in lines


def test_overridden_settings_are_those_of_the_next_command(
    capsys: pytest.CaptureFixture,
) -> None:
    with TrainingConsole(None) as console:
        console.close(replace(RESULT, epochs=None, best_checkpoint=Path('best.pth')))

    assert capsys.readouterr().out.splitlines() == [
        'Trained to iteration 3366 in 1:02:03.',
        'Best checkpoint: best.pth',
        'Next: m2det test work/mine_full.py best.pth',
        '      m2det predict work/mine_full.py best.pth IMAGES',
    ]


def test_the_report_of_a_training_is_named(capsys: pytest.CaptureFixture) -> None:
    with TrainingConsole('c') as console:
        console.close(replace(RESULT, report=Path('work/report.html')))

    assert 'Report: work/report.html' in capsys.readouterr().out.splitlines()


def test_why_a_training_has_no_report_is_told(capsys: pytest.CaptureFixture) -> None:
    with TrainingConsole('c') as console:
        console.close(replace(RESULT, report_problem='There is no report: no ink.'))

    captured = capsys.readouterr()
    assert captured.err == 'There is no report: no ink.\n'
    assert 'Report' not in captured.out


# MMEngine's runner makes its work folder an absolute path.
@pytest.mark.parametrize('work_dir', [Path('work'), Path('work').absolute()])
def test_a_run_is_named_by_its_folder_in_the_next_command(
    work_dir: Path, capsys: pytest.CaptureFixture
) -> None:
    with TrainingConsole(None) as console:
        console.close(replace(RESULT, work_dir=work_dir, config=Path('work/config.py')))

    assert capsys.readouterr().out.splitlines()[-2:] == [
        'Next: m2det test work',
        '      m2det predict work IMAGES',
    ]


def test_a_training_by_iterations_has_no_epochs(capsys: pytest.CaptureFixture) -> None:
    with TrainingConsole('c') as console:
        console.show(replace(STARTED, epochs=None, resumed_from=None))
        console.show(Evaluated('val', None, {'coco/bbox_mAP': 0.5}))

    *_, length, _, found = capsys.readouterr().out.splitlines()
    assert length == 'Length: 3,366 iterations of 16 images'
    assert found == 'validation: AP 0.500'


@pytest.mark.parametrize(
    ('metrics', 'line'),
    [
        (
            {'coco/bbox_mAP_50': 0.5, 'coco/bbox_mAP': 0.25, 'coco/bbox_mAP_l': -1.0},
            'AP 0.250 | AP_50 0.500 | AP_l -',
        ),
        ({'pascal_voc/mAP': 0.75, 'pascal_voc/AP50': 0.75}, 'AP 0.750'),
        ({'accuracy': nan, 'other': 2}, 'accuracy - | other 2.000'),
        ({}, 'no AP: nothing was found in any image'),
    ],
)
def test_figures_stand_in_one_line(metrics: dict[str, float], line: str) -> None:
    assert format_ap(metrics) == line
