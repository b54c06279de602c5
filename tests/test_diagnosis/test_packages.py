"""Packages that are absent, broken, hidden or of another version."""

from importlib import metadata
from pathlib import Path

import pytest

from m2det_mmdet.compat.environment import Fault
from m2det_mmdet.diagnosis import State, framework, imports, packages
from m2det_mmdet.diagnosis.findings import Finding
from m2det_mmdet.diagnosis.imports import check_import
from m2det_mmdet.diagnosis.packages import Package, broken, describe

OK, NOTE, PROBLEM, STOP = State
# It lies in the environment, and the module of the tests does not.
NUMPY = 'numpy'


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Folder of a package that PYTHONPATH puts before the installed one."""
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / 'pretended'
    folder.mkdir()
    return folder


def imported(monkeypatch: pytest.MonkeyPatch, **options: object) -> Finding:
    """Try the package ``pretended``."""
    options = {'distributions': (NUMPY,), **options}
    pretended = Package('Pretended', 'pretended', **options)
    monkeypatch.setitem(packages.PACKAGES, 'Pretended', pretended)
    monkeypatch.delitem(imports.import_module('sys').modules, 'pretended', False)
    (finding,) = check_import('Pretended')
    return finding


@pytest.mark.parametrize(
    ('options', 'state', 'fix'),
    [
        ({}, STOP, '`pip install numpy`'),
        ({'fix': '`make it`'}, STOP, '`make it`'),
        ({'gain': 'it is faster'}, NOTE, ''),
        ({'gain': 'it is faster', 'fix': '`make it`'}, NOTE, '`make it`'),
    ],
)
def test_an_absent_package_is_told_with_its_installation(
    options: dict, state: State, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = imported(monkeypatch, **options)

    assert (found.state, found.fix) == (state, fix)
    assert 'not installed' in found.found


@pytest.mark.parametrize(('gain', 'state'), [('', STOP), ('speed', PROBLEM)])
@pytest.mark.parametrize('error', ['ImportError("no symbol")', 'SystemExit("no")'])
def test_a_broken_package_is_told_with_what_hides_the_sound_one(
    gain: str,
    state: State,
    error: str,
    package: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (package / '__init__.py').write_text(f'raise {error}\n')

    found = imported(monkeypatch, gain=gain)

    assert found.state == state
    assert f'{package} is in the place of the installed one' in found.found
    assert f'cannot be imported: {error.partition("(")[0]}' in found.found
    assert found.fix == f'take {package.parent} out of PYTHONPATH, or rename {package}'


def test_a_sound_package_in_the_place_of_the_installed_one_is_noted(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (package / '__init__.py').touch()

    found = imported(monkeypatch)

    version = metadata.version(NUMPY)
    assert found.state == NOTE
    assert found.found == f'{package} is imported, not the installed {version}'


def test_what_an_installation_left_is_no_package(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (package / '__pycache__').mkdir()

    found = imported(monkeypatch, gain='speed')

    assert found.state == PROBLEM
    assert found.fix == f'remove {package}, then `pip install numpy`'


@pytest.mark.parametrize(
    ('how', 'fix'),
    [
        ('libGL.so.1: cannot open shared object file', 'opencv-python-headless'),
        ('libcudart.so.12: cannot open shared object file', "by the system's packages"),
        ('operator torchvision::nms does not exist', 'built for this PyTorch, from'),
        ('undefined symbol', "--force-reinstall --no-deps 'numpy=="),
    ],
)
def test_the_repair_follows_from_the_error(how: str, fix: str) -> None:
    found = broken(packages.PACKAGES['NumPy'], how)

    assert (found.state, found.found) == (STOP, how)
    assert fix in found.fix


@pytest.mark.parametrize(
    ('versions', 'words', 'is_tested'),
    [
        ({'torch': '2.13.0+cpu'}, '2.13.0+cpu', True),
        ({'torch': '2.12.0'}, '2.12.0, tested with 2.13.0', False),
        ({}, 'of unknown version', True),
    ],
)
def test_a_version_is_compared_with_the_tested_one(
    versions: dict, words: str, is_tested: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, 'installed_versions', lambda names: versions)

    assert describe(packages.PACKAGES['PyTorch']) == (words, is_tested)


@pytest.mark.parametrize(
    ('version', 'state'),
    [((3, 9, 1), STOP), ((3, 10, 0), OK), ((3, 12, 9), OK), ((3, 13, 0), NOTE)],
)
def test_python_is_compared_with_those_that_were_tested(
    version: tuple, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(framework.sys, 'version_info', version)

    (found,) = framework.check_python()

    assert found.state == state
    assert '.'.join(map(str, version)) in found.found


def pretend(monkeypatch: pytest.MonkeyPatch, versions: dict[str, str]) -> None:
    modules = ['mmdet', 'mmcv', 'mmengine', 'torch']
    monkeypatch.setattr(framework, 'framework_versions', lambda: versions)
    monkeypatch.setattr(framework, 'framework_modules', lambda: modules)


def test_all_faults_of_a_line_are_stops_with_their_fix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, {'onedl-mmcv': '2.3.4', 'mmdet': '3.3.0'})

    mixed, too_old = framework.check_line()
    (files,) = framework.check_files()

    assert {mixed.state, too_old.state} == {STOP}
    assert '`pip uninstall onedl-mmcv mmdet`' in mixed.fix
    assert too_old.fix == "`pip install 'onedl-mmcv>=2.3.6,<3'`"
    assert files.state == NOTE


def test_an_unsafe_pytorch_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {'mmdet': '3.3.0', 'torch': '2.7.0'})

    line, danger = framework.check_line()

    assert (line.state, line.found) == (OK, 'open-mmlab')
    assert (danger.state, danger.name) == (PROBLEM, 'checkpoints of others')
    assert 'install 2.10 or later' in danger.fix


def test_without_packaging_what_was_found_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def faults(*_: object) -> object:
        yield Fault('MMCV is missing', '`pip install it`')
        raise ImportError("No module named 'packaging'")

    monkeypatch.setattr(framework, 'find_faults', faults)

    missing, packaging = framework.check_line()

    assert missing.found == 'MMCV is missing'
    assert (packaging.state, packaging.fix) == (STOP, '`pip install packaging`')


@pytest.fixture
def distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> metadata.Distribution:
    """A distribution of MMDetection with two modules of 5 bytes."""
    record = ['mmdet/a.py,,5', 'mmdet/b.py,,5', 'docs/conf.py,,5', 'mmdet/c.txt,,5']
    info = tmp_path / 'mmdet-3.3.0.dist-info'
    info.mkdir()
    (info / 'RECORD').write_text('\n'.join(record))
    (info / 'METADATA').write_text('Name: mmdet\nVersion: 3.3.0\n')
    (tmp_path / 'mmdet').mkdir()
    for name in 'ab':
        (tmp_path / 'mmdet' / f'{name}.py').write_text('pass\n')
    found = metadata.PathDistribution(info)
    pretend(monkeypatch, {'mmdet': '3.3.0', 'torch': '2.13.0'})
    monkeypatch.setattr(metadata, 'distribution', lambda name: found)
    return found


@pytest.mark.parametrize(
    ('content', 'state', 'words'),
    [
        ('pass\n', OK, 'as installed: mmdet'),
        ('other', OK, 'as installed: mmdet'),
        ('longer\n', PROBLEM, 'mmdet: 1 changed, as mmdet/b.py'),
        (None, PROBLEM, 'mmdet: 1 missing, as mmdet/b.py'),
    ],
)
def test_files_are_compared_with_the_list_of_pip(
    content: str | None, state: State, words: str, distribution: metadata.Distribution
) -> None:
    path = Path(distribution.locate_file('mmdet/b.py'))
    path.unlink()
    if content is not None:
        path.write_text(content)

    (found,) = framework.check_files()

    assert (found.state, found.found) == (state, words)
    again = "`pip install --force-reinstall --no-deps 'mmdet==3.3.0'`"
    assert found.fix == (again if state else '')


@pytest.mark.parametrize(
    ('said', 'is_editable', 'root'),
    [
        ('{"url": "file:///src/x", "dir_info": {"editable": true}}', True, '/src/x'),
        ('{"url": "file:///src/x", "dir_info": {}}', False, None),
        (None, False, None),
    ],
)
def test_the_folder_of_a_distribution_is_that_of_its_modules(
    said: str | None,
    is_editable: bool,
    root: str | None,
    distribution: metadata.Distribution,
) -> None:
    folder = Path(distribution.locate_file(''))
    if said is not None:
        (folder / 'mmdet-3.3.0.dist-info' / 'direct_url.json').write_text(said)

    assert packages.is_editable(distribution) == is_editable
    assert packages.root_of(distribution) == (
        folder.resolve() if root is None else Path(root)
    )
