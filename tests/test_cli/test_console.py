from dataclasses import replace
from math import nan
from pathlib import Path

import pytest

from m2det_mmdet.apis import Evaluated, Step, TrainingResult, TrainingStarted
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
        'epoch 4/18, batch 187/187, loss 12.35, learning rate 0.004, 0:12:10 left',
        'epoch 4: AP 0.250',
        'Trained to epoch 18 (iteration 3366) in 1:02:03.',
        'Last checkpoint: my work/epoch_18.pth',
        "Next: m2det test 'my config.py' 'my work/epoch_18.pth'",
    ]


def test_overridden_settings_are_those_of_the_next_command(
    capsys: pytest.CaptureFixture,
) -> None:
    with TrainingConsole(None) as console:
        console.close(replace(RESULT, epochs=None, best_checkpoint=Path('best.pth')))

    assert capsys.readouterr().out.splitlines() == [
        'Trained to iteration 3366 in 1:02:03.',
        'Best checkpoint: best.pth',
        'Next: m2det test work/mine_full.py best.pth',
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
