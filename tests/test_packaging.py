"""What ``setup.py`` puts into a wheel."""

import subprocess
import sys
from pathlib import Path

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
