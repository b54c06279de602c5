from pathlib import Path

import pytest

from m2det_mmdet.cli import main
from m2det_mmdet.cli.configs import find_config, load_config, shipped_configs
from m2det_mmdet.cli.errors import UserError

REPOSITORY = Path(__file__).parents[2]
VGG_320 = REPOSITORY / 'configs' / 'm2det' / 'm2det_vgg_320.py'


@pytest.mark.parametrize(
    'name', ['m2det_vgg_320', 'm2det_vgg_320.py', 'configs/m2det/m2det_vgg_320.py']
)
def test_our_configs_are_found_from_anywhere(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert find_config(name).samefile(VGG_320)


def test_a_path_comes_before_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('m2det_vgg_320.py').touch()

    assert find_config('m2det_vgg_320.py') == Path('m2det_vgg_320.py')


def test_a_path_that_only_ends_alike_is_not_ours() -> None:
    with pytest.raises(UserError, match=r'no config mine/m2det_vgg_320\.py'):
        find_config('mine/m2det_vgg_320.py')


def test_similar_names_are_offered() -> None:
    with pytest.raises(UserError, match='did you mean m2det_vgg_320'):
        find_config('m2det_vg_320')


def test_names_are_listed_where_none_is_similar() -> None:
    with pytest.raises(UserError, match='one of .*m2det_r50_320.*m2det_vgg_512'):
        find_config('zzz')


def test_no_two_configs_share_a_name() -> None:
    paths = list((REPOSITORY / 'configs').rglob('*.py'))
    leaves = [path.stem for path in paths if '_base_' not in path.parts]

    assert sorted(shipped_configs()) == sorted(leaves)
    assert len({path.name for path in paths}) == len(paths)


def test_options_are_merged() -> None:
    cfg = load_config('m2det_vgg_320', {'model.neck.num_levels': 2})

    assert cfg.model.neck.num_levels == 2


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['a'], "takes KEY=VALUE pairs without white space, got 'a'"),
        (['train_pipeline.17.x=3'], 'Index 17 exceeds the length'),
        (['model.type.x=3'], 'does not fit the config m2det_vgg_320'),
    ],
)
def test_bad_options_end_in_one_sentence(
    options: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    assert main(['train', 'm2det_vgg_320', '--cfg-options', *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count('\n') == 1
