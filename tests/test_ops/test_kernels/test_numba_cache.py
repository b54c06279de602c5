"""Where the loops that numba compiled are kept."""

import gc
import os
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

numba = pytest.importorskip('numba')
from m2det_mmdet.ops.kernels.numba_cache import compiled  # noqa: E402

SOURCE = """
def times(x):
    return {factor} * x
"""
Build = Callable[..., Callable[[int], int]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder, whose place the user did not set for numba."""
    monkeypatch.delenv('NUMBA_CACHE_DIR', raising=False)
    monkeypatch.setattr(numba.core.config, 'CACHE_DIR', '')
    folder = tmp_path / 'home' / 'cache'
    monkeypatch.setenv('XDG_CACHE_HOME', str(folder))
    monkeypatch.setattr('numba.misc.appdirs.system', 'linux2')
    return folder


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Write a module into a package, and compile its function."""

    def compile_times(folder: str = 'site', factor: int = 2) -> Callable[[int], int]:
        path = tmp_path / folder / 'package' / 'loops.py'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SOURCE.format(factor=factor))
        # numba of before 0.66 knows a source by its time and size.
        os.utime(path, (factor, factor))
        spec = spec_from_file_location('loops', path)
        module = module_from_spec(spec)
        # numba imports it, when what was compiled before is not in memory any more.
        monkeypatch.setitem(sys.modules, 'loops', module)
        spec.loader.exec_module(module)
        return compiled(module.times)

    return compile_times


def _kept(folder: Path) -> list[str]:
    return sorted(path.suffix for path in folder.rglob('*.nb?'))


def test_nothing_is_kept_in_the_package(
    home: Path, build: Build, tmp_path: Path
) -> None:
    assert build()(3) == 6

    assert _kept(tmp_path / 'site') == []
    assert _kept(home) == ['.nbc', '.nbi']
    gc.collect()
    # The next process compiles nothing.
    again = build()
    assert again(4) == 8
    assert sum(again.stats.cache_hits.values()) == 1


def test_the_folder_that_the_user_set_is_taken(
    home: Path, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.core.config, 'CACHE_DIR', str(tmp_path / 'mine'))

    assert build()(3) == 6

    assert _kept(tmp_path / 'mine') == ['.nbc', '.nbi']
    assert _kept(home) == _kept(tmp_path / 'site') == []


def test_a_home_that_cannot_be_written_is_done_without(
    home: Path, build: Build, tmp_path: Path
) -> None:
    home.parent.mkdir()
    home.write_text('no folder')

    assert build()(3) == 6

    assert _kept(tmp_path) == []


def test_installations_and_versions_do_not_mix(home: Path, build: Build) -> None:
    assert build('one', factor=2)(3) == 6
    assert build('two', factor=5)(3) == 15
    assert build('one', factor=7)(3) == 21

    newer = build('one', factor=7)
    assert newer(3) == 21
    assert sum(newer.stats.cache_hits.values()) == 1


def test_other_packages_keep_their_place(
    home: Path, build: Build, tmp_path: Path
) -> None:
    theirs = numba.njit(build().py_func, cache=True)

    assert theirs(3) == 6
    assert _kept(tmp_path / 'site') == ['.nbc', '.nbi']


def test_the_loops_of_soft_nms_are_kept_outside_of_the_package() -> None:
    loops = import_module('m2det_mmdet.ops.kernels.picks_numba')
    package = Path(loops.__file__).parent

    for name in ('_pick_batch', '_pick', '_gather', '_first', '_weaken'):
        folder = getattr(loops, name)._cache.cache_path
        assert not Path(folder).is_relative_to(package)
