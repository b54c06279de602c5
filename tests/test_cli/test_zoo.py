import pytest

from m2det_mmdet.apis import list_weights
from m2det_mmdet.cli import main
from m2det_mmdet.utils.configs import shipped_configs


def test_all_weights_are_listed(capsys: pytest.CaptureFixture) -> None:
    assert main(['zoo']) == 0

    output = capsys.readouterr().out
    assert output.startswith('| name | config | trained on | box AP | size | where |')
    assert (
        '| m2det_r18_scenes | m2det_r18_scenes | 3,000 generated scenes '
        '(`m2det scenes data/scenes`) | 0.671 | 1.64 MB | in the package |'
    ) in output
    assert '| 0.378 | not known here | to convert |' in output
    assert {entry.config for entry in list_weights()} <= shipped_configs().keys()


def test_one_entry_is_told_in_full(capsys: pytest.CaptureFixture) -> None:
    assert main(['zoo', 'm2det_r18_scenes']) == 0

    output = capsys.readouterr().out
    assert 'Classes:     disc, square, ' in output
    assert 'Box AP:      0.671 on the 200 scenes of their val split\n' in output
    assert 'Licence:     Apache-2.0\n' in output
    assert 'weights/m2det_r18_scenes.safetensors\n' in output
    assert '\n  m2det test m2det_r18_scenes\n' in output
    assert '\n  m2det train CONFIG --data DATA --from m2det_r18_scenes\n' in output


def test_weights_to_convert_have_their_steps(capsys: pytest.CaptureFixture) -> None:
    assert main(['zoo', 'm2det_vgg_512_release']) == 0

    output = capsys.readouterr().out
    assert 'SHA-256:     not known here\n' in output
    assert 'Page:        https://github.com/VDIGPKU/M2Det#' in output
    assert (
        'm2det convert DOWNLOADED m2det_vgg_512_release m2det_vgg_512_release.pth\n'
        '  m2det test m2det_vgg_512_release m2det_vgg_512_release.pth\n'
    ) in output


def test_a_misspelt_name_is_told(capsys: pytest.CaptureFixture) -> None:
    assert main(['zoo', 'm2det_r18_scene']) == 2

    assert capsys.readouterr().err == (
        'm2det zoo: There are no weights m2det_r18_scene: did you mean '
        'm2det_r18_scenes?\n'
    )
