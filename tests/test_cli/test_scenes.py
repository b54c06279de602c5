import json
from pathlib import Path

import pytest

from m2det_mmdet.cli import main

SIZES = [
    '--num-train',
    '2',
    '--num-val',
    '1',
    '--num-test',
    '1',
    '--size',
    '160',
    '128',
]


def test_scenes_are_written_once(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / 'scenes'

    assert main(['scenes', str(out), *SIZES, '--seed', '3']) == 0
    content = json.loads((out / 'annotations' / 'train.json').read_text())
    sizes = [(image['width'], image['height']) for image in content['images']]
    assert sizes == [(160, 128), (160, 128)]

    assert main(['scenes', str(out), *SIZES]) == 2
    assert 'already holds scenes' in capsys.readouterr().err
    assert main(['scenes', str(out), *SIZES, '--force']) == 0


def test_wrong_numbers_end_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(['scenes', str(tmp_path / 'out'), '--num-val', '0']) == 2
    assert '--num-val: must be at least 1' in capsys.readouterr().err
