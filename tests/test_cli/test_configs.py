import re
from pathlib import Path

import pytest

from m2det_mmdet.cli import main
from m2det_mmdet.utils.configs import (
    find_config,
    find_family,
    load_config,
    shipped_configs,
)
from m2det_mmdet.utils.errors import M2DetError

REPOSITORY = Path(__file__).parents[2]
FAMILY = 'configs/m2det'


@pytest.mark.parametrize(
    'path',
    [f'{FAMILY}/m2det_vgg_320.py', f'{FAMILY}/ablation/ablation_sfam_320.py'],
)
def test_our_configs_are_found_from_anywhere(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    for name in (path, Path(path).name, Path(path).stem):
        assert find_config(name).samefile(REPOSITORY / path)


def test_our_configs_and_their_bases_have_names_with_a_scope() -> None:
    for path in ('m2det/m2det_vgg_320.py', '_base_/datasets/coco.py'):
        assert find_config(f'm2det::{path}').samefile(REPOSITORY / 'configs' / path)
    assert load_config('m2det::ssd/ssd_vgg_300.py').model.type == 'M2Det'


@pytest.mark.parametrize(
    ('name', 'hint'),
    [
        ('m2det::m2det/m2det_vg_320.py', 'did you mean m2det::m2det/m2det_vgg_320.py'),
        ('m2det::m2det/../ssd/ssd_vgg_300.py', 'did you mean m2det::ssd/ssd_vgg_300'),
        ('m2det::', 'as m2det::m2det/m2det_vgg_320.py.'),
    ],
)
def test_a_wrong_name_with_a_scope_is_named(name: str, hint: str) -> None:
    with pytest.raises(
        M2DetError, match=re.escape(f'There is no config {name}: ')
    ) as e:
        find_config(name)
    assert hint in str(e.value)


def test_a_wrong_path_comes_with_what_is_beside_it(tmp_path: Path) -> None:
    (tmp_path / 'config.py').touch()

    with pytest.raises(M2DetError, match=r'confg.py: did you mean config.py\?$'):
        find_config(str(tmp_path / 'confg.py'))
    with pytest.raises(M2DetError, match=r'is a folder: name a config .* by --data'):
        find_config(str(tmp_path))


def test_a_path_comes_before_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('m2det_vgg_320.py').touch()

    assert find_config('m2det_vgg_320.py') == Path('m2det_vgg_320.py')


@pytest.mark.parametrize(
    'name',
    [
        'mine/m2det_vgg_320.py',
        'ablation/ablation_sfam_320.py',
        'configs/ablation_sfam_320.py',
        f'{FAMILY}/ablation_sfam_320.py',
        '',
    ],
)
def test_a_path_that_only_ends_alike_is_not_ours(name: str) -> None:
    with pytest.raises(M2DetError, match=rf'no config {re.escape(name)}: '):
        find_config(name)


def test_similar_names_are_offered() -> None:
    with pytest.raises(M2DetError, match='did you mean m2det_vgg_320'):
        find_config('m2det_vg_320')


def test_the_folders_are_listed_where_no_name_is_similar() -> None:
    with pytest.raises(
        M2DetError, match='a name as m2det_vgg_320; .* folders ablation'
    ):
        find_config('zzz')


def test_a_family_is_a_folder_with_a_metafile() -> None:
    assert find_family('m2det').samefile(REPOSITORY / FAMILY / 'metafile.yml')
    metafile = REPOSITORY / FAMILY / 'ablation' / 'metafile.yml'
    assert find_family('ablation').samefile(metafile)
    with pytest.raises(
        M2DetError, match=r'of configs _base_; .* m2det, modern, parts, mlfpn'
    ):
        find_family('_base_')


def test_no_two_configs_share_a_name() -> None:
    paths = list((REPOSITORY / 'configs').rglob('*.py'))
    leaves = [path.stem for path in paths if '_base_' not in path.parts]

    assert sorted(shipped_configs()) == sorted(leaves)
    assert len({path.name for path in paths}) == len(paths)


def test_options_are_merged() -> None:
    cfg = load_config('m2det_vgg_320', {'model.neck.num_levels': 2})

    assert cfg.model.neck.num_levels == 2


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('x = (', "SyntaxError: '(' was never closed ({config}:1)"),
        ("_base_ = 'a.py'\nx = y", "NameError: name 'y' is not defined ({config}:2)"),
        ('\nassert False', 'AssertionError: `assert False` ({config}:2)'),
        ('raise IndexError', 'IndexError: `raise IndexError` ({config}:1)'),
        ("x = dict()['y']", "KeyError: 'y' ({config}:1)"),
        ('import sys\nsys.exit(3)', 'SystemExit: 3 ({config}:2)'),
        ("_base_ = 'b.py'", "SyntaxError: '(' was never closed ({folder}/b.py:2)"),
        ("_base_ = 'nothing.py'", 'nothing.py'),
        ("_base_ = ['a.py', 'a.py']", "Duplicate keys: {{'z'}}"),
        ("_base_ = ['a.py', 'a.py']", '; inherit from one of these bases'),
        ("custom_imports = dict(imports='no_neck')", "No module named 'no_neck'"),
    ],
)
def test_a_config_that_does_not_load_is_named(
    content: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / 'a.py').write_text('z = 1')
    (tmp_path / 'b.py').write_text('z = 1\ny = (')
    config = tmp_path / 'broken.py'
    config.write_text(content)

    assert main(['train', str(config)]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith(f'm2det train: The config {config} does not load: ')
    assert message.format(config=config, folder=tmp_path) in error


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['a'], "takes KEY=VALUE pairs without white space, got 'a'"),
        (['custom_hooks.17.x=3'], 'Index 17 exceeds the length'),
        (['model.type.x=3'], 'does not fit the config m2det_vgg_320'),
        (['train_dataloder.batch_size=2'], 'did you mean train_dataloader or'),
    ],
)
def test_bad_options_end_in_one_sentence(
    options: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    assert main(['train', 'm2det_vgg_320', '--cfg-options', *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count('\n') == 1
