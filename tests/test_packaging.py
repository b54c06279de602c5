"""What ``setup.py`` puts into a wheel and a source archive, and that a wheel works."""

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from m2det_mmdet.version import __version__

ROOT = Path(__file__).parents[1]


def test_a_wheel_holds_what_mim_needs(tmp_path: Path) -> None:
    argv = [sys.executable, 'setup.py', '--quiet', 'build_py', '--build-lib', tmp_path]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True)

    mim = tmp_path / 'm2det_mmdet' / '.mim'
    for folder in ('configs', 'tools'):
        names = {path.relative_to(ROOT) for path in (ROOT / folder).rglob('*.*')}
        sources = {path for path in names if path.suffix != '.pyc'}
        assert {
            path.relative_to(mim) for path in (mim / folder).rglob('*.*')
        } == sources
    weights = Path('m2det_mmdet', 'checkpoints', 'zoo', 'weights')
    for file in (ROOT / weights).iterdir():
        assert (tmp_path / weights / file.name).read_bytes() == file.read_bytes()
    # What the command's script imports.
    assert (tmp_path / 'm2det_command.py').is_file()
    index = 'model-index.yml'
    assert (mim / index).read_text() == (ROOT / index).read_text()
    assert not (ROOT / 'build').exists()
    assert not (ROOT / 'm2det_mmdet' / '.mim').exists()


def test_openmim_finds_the_package_in_a_wheel(tmp_path: Path) -> None:
    argv = [sys.executable, 'setup.py', '--quiet', 'egg_info', '--egg-base', tmp_path]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True)

    (metadata,) = tmp_path.iterdir()
    names = (metadata / 'top_level.txt').read_text().split()
    assert names == ['m2det_mmdet', 'm2det_command']


@pytest.mark.slow
def test_a_source_archive_holds_what_its_readme_links_to(tmp_path: Path) -> None:
    argv = [sys.executable, 'setup.py', '--quiet', 'egg_info', '--egg-base', tmp_path]
    argv += ['sdist', '--dist-dir', tmp_path]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True)

    with tarfile.open(tmp_path / f'm2det-{__version__}.tar.gz') as archive:
        names = {name.partition('/')[2] for name in archive.getnames()}
    linked = re.findall(r'\]\(([^)#:]+)[)#]', (ROOT / 'README.md').read_text())
    assert len(linked) > 30
    assert set(linked) - names == set()
    assert [name for name in names if '__pycache__' in name] == []


@pytest.mark.slow
def test_a_wheel_works_from_an_empty_folder(tmp_path: Path) -> None:
    pytest.importorskip('onnxslim', reason='export needs the extra onnx')
    site, empty = tmp_path / 'site', tmp_path / 'empty'
    empty.mkdir()
    variables = os.environ | {'PYTHONPATH': str(site)}

    def run(*words: str | Path, cwd: Path = empty) -> str:
        argv = [sys.executable, *map(str, words)]
        done = subprocess.run(
            argv, cwd=cwd, env=variables, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    built = ['wheel', '--no-deps', '--no-build-isolation', '--wheel-dir', tmp_path]
    run('-m', 'pip', *built, '.', cwd=ROOT)
    (wheel,) = tmp_path.glob('*.whl')
    assert wheel.name == f'm2det-{__version__}-py3-none-any.whl'
    run('-m', 'pip', 'install', '--no-deps', '--target', site, wheel)
    imported = run('-c', 'import m2det_mmdet; print(m2det_mmdet.__file__)')
    assert Path(imported.strip()).is_relative_to(site)

    def m2det(*words: str) -> str:
        return run('-m', 'm2det_command', *words)

    m2det('scenes', 'DATA', '--num-train', '8', '--num-val', '2', '--num-test', '1')
    m2det('train', '--data', 'DATA', '--epochs', '1', '--work-dir', 'RUN')
    picture = 'DATA/test/000001.jpg'
    assert '1 of 1 images' in m2det('predict', 'RUN', picture, '-o', 'FOUND')
    m2det('export', 'RUN', '-o', 'RUN.onnx')
    assert '1 of 1 images' in m2det('predict', 'RUN.onnx', picture, '-o', 'EXPORTED')
    m2det('explain', 'RUN', picture, '-o', 'levels.html')

    written = {path.name for path in empty.iterdir()}
    made = {'DATA', 'RUN', 'FOUND', 'RUN.onnx', 'EXPORTED', 'levels.html'}
    assert made <= written
