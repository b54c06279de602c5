from pathlib import Path

import pytest
from mmengine.config import Config

from m2det_mmdet.apis import flatten
from m2det_mmdet.cli import main
from m2det_mmdet.utils.configs import load_config, shipped_configs
from m2det_mmdet.utils.errors import M2DetError

QUICK = (
    'm2det_vgg_320',
    'm2det_vgg_320_bccd',
    'mask-rcnn_r50_mlfpn_1x_coco',
    'refinedet_vgg_320_voc0712',
    'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
)
OTHERS = [
    pytest.param(name, marks=pytest.mark.slow)
    for name in shipped_configs()
    if name not in QUICK
]


@pytest.mark.parametrize('name', [*QUICK, *OTHERS])
def test_a_flattened_config_is_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(['config', name, '-o', 'sub/flat.py']) == 0

    text = Path('sub/flat.py').read_text()
    assert '_base_ =' not in text
    assert Config.fromfile('sub/flat.py').to_dict() == load_config(name).to_dict()


def test_a_config_is_printed_with_its_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    argv = ['config', 'm2det_vgg_320', '--cfg-options', 'model.neck.num_levels=2']

    assert main(argv) == 0

    file = tmp_path / 'printed.py'
    file.write_text(capsys.readouterr().out)
    cfg = Config.fromfile(file)
    assert cfg.model.neck.num_levels == 2
    assert cfg.train_cfg == load_config('m2det_vgg_320').train_cfg


def test_a_config_replaces_nothing_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    file = tmp_path / 'mine.py'
    file.write_text('x = 1')
    argv = ['config', str(file), '--cfg-options', 'work_dir=here', '-o']

    assert main([*argv, str(file)]) == 2
    assert main([*argv, str(tmp_path / 'mine.txt')]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith(
        'mine.py exists: give another name, or --force to replace it.'
    )
    assert second.endswith('mine.txt is no name of a config: let it end in .py.')
    assert file.read_text() == 'x = 1'
    assert main([*argv, str(file), '--force']) == 0
    assert Config.fromfile(file).to_dict() == {'x': 1, 'work_dir': 'here'}


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        ('x = dict(f=lambda: 1)', 'SyntaxError: '),
        ("x = {'class': 1}", 'SyntaxError: '),
        ("x = float('inf')", "NameError: name 'inf' is not defined"),
        # MMEngine would replace it once more.
        ("x = dict(y='{{' + '$HOME:1}}')", r'x\.y would change'),
    ],
)
def test_what_no_text_says_is_refused(
    content: str, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / 'odd.py'
    file.write_text(content)

    with pytest.raises(M2DetError, match=rf'odd\.py cannot be written .*{reason}'):
        flatten(file)
