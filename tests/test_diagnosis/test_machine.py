"""Folders, memory, processors and variables, as they may be elsewhere."""

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from m2det_mmdet.checkpoints.zoo import finding
from m2det_mmdet.diagnosis import State, folders, machine
from m2det_mmdet.diagnosis.variables import check_variables

OK, NOTE, PROBLEM, STOP = State


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """A disk of which a test decides how much is free; the working folder is on it."""
    usage = SimpleNamespace(free=5e9, total=9e9)
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: usage)
    monkeypatch.chdir(tmp_path)
    return usage


def test_a_folder_with_space_is_sound_and_left_as_it_was(
    disk: SimpleNamespace, tmp_path: Path
) -> None:
    (found,) = folders.check_working_folder()

    assert (found.state, found.found) == (OK, f'{tmp_path}, 5.0 GB free')
    assert list(tmp_path.iterdir()) == []


def test_little_space_is_a_problem(disk: SimpleNamespace, tmp_path: Path) -> None:
    disk.free = 0.9e9

    (found,) = folders.check_working_folder()

    assert (found.state, found.found) == (PROBLEM, f'{tmp_path}, 0.9 GB free')
    assert found.fix.startswith('make room there, or ')


@pytest.mark.parametrize(
    ('code', 'words'),
    [
        (errno.ENOSPC, 'is full (No space left on device)'),
        (errno.EDQUOT, 'is full (Disk quota exceeded)'),
        (errno.EROFS, 'takes no file (Read-only file system)'),
    ],
)
def test_a_folder_that_takes_no_file_is_a_problem(
    code: int,
    words: str,
    disk: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, 'fsync', fail)

    (found,) = folders.check_working_folder()

    assert (found.state, found.found) == (PROBLEM, f'{tmp_path} {words}')
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_is_a_problem(
    disk: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise FileNotFoundError(errno.ENOENT, 'No such file or directory')

    monkeypatch.setattr(folders.Path, 'cwd', fail)

    (found,) = folders.check_working_folder()

    assert found.state == PROBLEM
    assert found.found.startswith('cannot be found: ')


def test_a_temporary_folder_that_python_passes_over_is_told_of(
    disk: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('TMPDIR', str(tmp_path / 'asked'))
    (tmp_path / 'asked').mkdir()
    monkeypatch.setattr(folders.tempfile, 'gettempdir', lambda: str(tmp_path))
    refusals = {tmp_path / 'asked': 'is full', tmp_path: None}
    monkeypatch.setattr(folders, '_refusal', refusals.get)

    asked, taken = folders.check_temporary_folder()

    assert (asked.state, asked.found) == (PROBLEM, f'{tmp_path / "asked"} is full')
    assert (taken.state, taken.found) == (OK, f'{tmp_path}, 5.0 GB free')


@pytest.mark.parametrize(
    'variables',
    [{}, {'TORCH_HOME': '/x/torch'}, {'XDG_CACHE_HOME': '/x'}, {'TORCH_HOME': '~/y'}],
)
def test_downloads_are_looked_for_where_pytorch_puts_them(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ('TORCH_HOME', 'XDG_CACHE_HOME'):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert folders.cache_folder() == finding.cache_folder()


def test_a_folder_that_does_not_exist_yet_is_not_made(
    disk: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'new'))

    (found,) = folders.check_cache()

    assert found.state == OK
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(('total', 'state'), [(64e6, PROBLEM), (8e9, OK)])
def test_the_shared_memory_of_a_container_is_little(
    total: float,
    state: State,
    disk: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(folders, '_SHARED', tmp_path)
    disk.total = total

    (found,) = folders.check_shared_memory()

    assert found.state == state
    assert ('--shm-size' in found.fix) == (state == PROBLEM)


@pytest.mark.parametrize(
    ('quota', 'state', 'words'),
    [
        ('max 100000', OK, '4 cores'),
        ('150000 100000', NOTE, '4 cores, 1.5 of them for this process'),
        ('', OK, '4 cores'),
    ],
)
def test_the_cores_of_a_container_are_counted(
    quota: str,
    state: State,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, '_CPU_QUOTA', tmp_path / 'cpu.max')
    if quota:
        (tmp_path / 'cpu.max').write_text(quota)
    monkeypatch.setattr(os, 'cpu_count', lambda: 4)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: {0, 1, 2, 3}, False)

    (found,) = machine.check_processors()

    assert found.state == state
    assert found.found.endswith(words)


@pytest.mark.parametrize(
    ('available', 'limit', 'state', 'words'),
    [
        (8_000_000, None, OK, '8.2 of 16.4 GB free'),
        (1_000_000, None, PROBLEM, '1.0 of 16.4 GB free'),
        (8_000_000, 'max', OK, '8.2 of 16.4 GB free'),
        (
            8_000_000,
            '1000000000',
            PROBLEM,
            '8.2 of 16.4 GB free, at most 1.0 GB for this container',
        ),
    ],
)
def test_the_memory_of_a_container_is_told(
    available: int,
    limit: str | None,
    state: State,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / 'meminfo').write_text(
        f'MemTotal:  16000000 kB\nMemFree: 5 kB\nMemAvailable:  {available} kB\n'
    )
    if limit is not None:
        (tmp_path / 'memory.max').write_text(f'{limit}\n')
    monkeypatch.setattr(machine, '_MEMORY', tmp_path / 'meminfo')
    monkeypatch.setattr(machine, '_MEMORY_LIMITS', (tmp_path / 'memory.max',))

    (found,) = machine.check_memory()

    assert (found.state, found.found) == (state, words)


def test_memory_is_unknown_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, '_MEMORY', tmp_path / 'none')

    (found,) = machine.check_memory()

    assert found.state == NOTE


def test_variables_are_told_without_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        os,
        'environ',
        {
            'https_proxy': 'http://ann:secret@proxy.org:8080',
            'HTTP_PROXY': 'ann:secret@proxy.org',
            'CUDA_VISIBLE_DEVICES': '',
            'TRITON_INTERPRET': '1',
            'NUMBA_DISABLE_JIT': '0',
            'EDITOR': 'vi',
        },
    )

    found = {x.name: x for x in check_variables()}

    assert found.keys() == {
        'https_proxy',
        'HTTP_PROXY',
        'CUDA_VISIBLE_DEVICES',
        'TRITON_INTERPRET',
    }
    assert found['https_proxy'].found.startswith('http://proxy.org:8080: ')
    assert found['HTTP_PROXY'].found.startswith('proxy.org: ')
    assert found['CUDA_VISIBLE_DEVICES'].found.startswith('empty: ')
    assert found['TRITON_INTERPRET'].state == PROBLEM
    assert found['TRITON_INTERPRET'].fix == '`unset TRITON_INTERPRET`'


def test_no_variable_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, 'environ', {})

    (found,) = check_variables()

    assert found.state == OK
