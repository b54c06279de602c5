"""A command of the same name that belongs to another Python."""

import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from m2det_mmdet import __version__
from m2det_mmdet.diagnosis import State, command

OK, NOTE, PROBLEM, STOP = State


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of this Python's commands, which is not on PATH."""
    folder = tmp_path / 'here'
    folder.mkdir()
    monkeypatch.setattr(command.sysconfig, 'get_path', lambda name: str(folder))
    monkeypatch.setenv('PATH', str(tmp_path / 'other'))
    return folder


def write_script(folder: Path, interpreter: str = '/usr/bin/none') -> None:
    folder.mkdir(exist_ok=True)
    script = folder / 'm2det'
    script.write_text(f'#!{interpreter}\n')
    script.chmod(0o755)


def test_a_command_that_is_nowhere_or_not_on_path_is_noted(scripts: Path) -> None:
    (absent,) = command.check_command()
    write_script(scripts)
    (hidden,) = command.check_command()

    assert (absent.state, absent.fix) == (NOTE, '`pip install m2det`')
    assert hidden.state == NOTE
    assert hidden.fix.startswith(f'put {scripts} on PATH')


@pytest.mark.parametrize(
    ('interpreter', 'state'),
    [(sys.executable, OK), (f'"{sys.executable}"', OK), ('/usr/bin/none', PROBLEM)],
)
def test_a_command_of_another_python_is_a_problem(
    interpreter: str, state: State, scripts: Path, tmp_path: Path
) -> None:
    write_script(tmp_path / 'other', interpreter)

    (found,) = command.check_command()

    assert found.state == state
    assert found.found.startswith(str(tmp_path / 'other' / 'm2det'))
    expected = f'activate this environment, or call {scripts / "m2det"}'
    assert found.fix == (expected if state else '')


def test_a_program_that_is_no_script_is_of_another_python(
    scripts: Path, tmp_path: Path
) -> None:
    write_script(tmp_path / 'other')
    (tmp_path / 'other' / 'm2det').write_bytes(bytes(range(256)))

    (found,) = command.check_command()

    assert found.state == PROBLEM


def test_a_command_beside_this_python_is_its_own(
    scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_script(scripts)
    monkeypatch.setenv('PATH', str(scripts))

    (found,) = command.check_command()

    assert (found.state, found.found) == (OK, str(scripts / 'm2det'))


def test_mim_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, 'installed_versions', lambda names: {})

    (found,) = command.check_mim()

    assert (found.state, found.fix) == (NOTE, '`pip install onedl-mim`')


def installed(
    root: Path, version: str = __version__, files: list[Path] | None = None
) -> SimpleNamespace:
    """A distribution of m2det, not editable."""
    return SimpleNamespace(
        version=version,
        files=[SimpleNamespace(locate=lambda x=x: x) for x in files or ()],
        locate_file=lambda name: root / name,
        read_text=lambda name: '' if name == 'RECORD' else None,
    )


def test_m2det_is_told_with_what_is_in_its_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = command._ROOT
    found = {}
    for name, distributions in {
        'same': [installed(here)],
        'elsewhere': [installed(tmp_path)],
        'two': [installed(here), installed(tmp_path, '0.0.1')],
        'none': [],
    }.items():
        monkeypatch.setattr(metadata, 'distributions', lambda d=distributions, **_: d)
        (found[name],) = command.check_m2det()

    assert found['same'].state == OK
    assert f'not the installed one in {tmp_path}' in found['elsewhere'].found
    assert found['two'].state == PROBLEM
    assert '0.0.1 is installed' in found['two'].found
    assert found['none'].state == NOTE


def test_modules_that_pip_does_not_know_are_left_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / 'm2det_mmdet'
    package.mkdir()
    for name in ('new.py', 'old.py'):
        (package / name).touch()
    monkeypatch.setattr(command, '_ROOT', tmp_path)
    monkeypatch.setattr(command, '_PACKAGE', package)
    known = installed(tmp_path, files=[package / 'new.py'])
    monkeypatch.setattr(metadata, 'distributions', lambda **_: [known])

    _, found = command.check_m2det()

    assert found.state == PROBLEM
    assert '1 that pip does not know, as m2det_mmdet/old.py' in found.found
