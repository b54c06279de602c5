"""What the command costs and says before it begins."""

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]
# As the installed script imports it.
HELP = """
import io, sys
from contextlib import redirect_stdout
from m2det_command import main
from m2det_mmdet.cli import COMMANDS
for argv in (['--help'], ['--version'], *([name, '--help'] for name in COMMANDS)):
    out = io.StringIO()
    try:
        with redirect_stdout(out):
            main(argv)
    except SystemExit as stop:
        assert stop.code == 0, argv
    assert out.getvalue(), argv
heavy = {'torch', 'mmengine', 'mmcv', 'mmdet', 'numpy', 'cv2', 'rich'}
print(sorted(heavy & set(sys.modules)))
"""


def _run(code: str, *argv: str) -> subprocess.CompletedProcess:
    command = [sys.executable, '-c', code, *argv]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_help_is_shown_without_any_heavy_import() -> None:
    done = _run(HELP)

    assert (done.stdout, done.stderr) == ('[]\n', '')


def test_wrong_arguments_are_refused_without_any_heavy_import() -> None:
    done = _run(
        'import sys; from m2det_command import main; '
        "assert main(['bench', 'x', '--images', '0']) == 2; "
        "assert 'torch' not in sys.modules"
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr == (
        'm2det bench: argument --images: must be at least 1, got 0 '
        '(`m2det bench --help` lists the options).\n'
    )


def test_a_command_says_what_a_person_needs_and_no_more(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    done = _run(
        'import sys; from m2det_command import main; sys.exit(main())',
        'train',
        trained.config,
        '--work-dir',
        str(tmp_path),
    )

    assert done.returncode == 0, done.stderr
    begins = [line.split()[0] for line in done.stdout.splitlines()]
    assert begins == [
        'Training',
        'Data:',
        'Classes:',
        'Length:',
        'Log:',
        'epoch',
        'Trained',
        'Best',
        'Report:',
        'Next:',
        'm2det',
    ]
    assert 'Training small (M2Det, 0.59 M parameters) on ' in done.stdout
    assert '4 images to learn from, 3 images to validate on' in done.stdout
    assert done.stderr == ''


@pytest.mark.parametrize('script', ['m2det_command.py', 'tools/train.py'])
def test_what_an_uninstalled_package_left_is_no_package(
    script: str, tmp_path: Path
) -> None:
    left = tmp_path / 'm2det_mmdet' / 'ops' / '__pycache__'
    left.mkdir(parents=True)
    (left / 'loops.nbi').touch()
    shutil.copy(ROOT / 'm2det_command.py', tmp_path)
    code = 'import runpy, sys; sys.path.insert(0, sys.argv[1]); '
    code += "runpy.run_path(sys.argv[2], run_name='__main__')"
    # Neither installed packages nor the working folder are looked at.
    command = [sys.executable, '-I', '-S', '-c', code, str(tmp_path), ROOT / script]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr == (
        f'm2det: {tmp_path / "m2det_mmdet"} holds no package, only what an earlier '
        'installation left, and hides the installed one: remove that folder.\n'
    )


def test_the_detector_is_imported_when_it_is_asked_for() -> None:
    done = _run(
        'import sys, m2det_mmdet; '
        "assert 'm2det_mmdet.apis' not in sys.modules; "
        "assert 'Detector' in dir(m2det_mmdet); "
        'from m2det_mmdet import Detector, M2DetError, Prediction; '
        "assert Detector.__module__ == 'm2det_mmdet.apis.detector'; "
        "assert not hasattr(m2det_mmdet, 'Detektor')"
    )

    assert done.returncode == 0, done.stderr
