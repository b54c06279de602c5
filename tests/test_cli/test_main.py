import argparse

import pytest

from m2det_mmdet import __version__
from m2det_mmdet.cli import COMMANDS, main, scenes
from m2det_mmdet.datasets.coco import DatasetError
from m2det_mmdet.utils.errors import M2DetError

FROM_WORKER = """Caught DatasetError in DataLoader worker process 0.
Original Traceback (most recent call last):
  File "coco.py", line 1, in prepare_data
m2det_mmdet.datasets.coco.DatasetError: The image a.jpg does not exist.
"""


def test_help_lists_every_command(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit, match='0'):
        main(['--help'])
    output = capsys.readouterr().out
    assert all(f'{name} ' in output for name in COMMANDS)


@pytest.mark.parametrize('command', COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit, match='0'):
        main([command, '--help'])
    assert f'usage: m2det {command}' in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit, match='0'):
        main(['--version'])
    assert capsys.readouterr().out == f'm2det {__version__}\n'


@pytest.mark.parametrize('argv', [[], ['trian']])
def test_no_or_an_unknown_command_stops(argv: list[str]) -> None:
    with pytest.raises(SystemExit, match='2'):
        main(argv)


@pytest.mark.parametrize(
    ('error', 'status', 'message'),
    [
        (M2DetError('No such thing.'), 2, 'm2det scenes: No such thing.\n'),
        (
            DatasetError(FROM_WORKER),
            2,
            'm2det scenes: The image a.jpg does not exist.\n',
        ),
        (KeyboardInterrupt(), 130, 'm2det scenes: interrupted.\n'),
    ],
)
def test_known_errors_end_in_one_sentence(
    error: BaseException,
    status: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    _let_scenes_raise(error, monkeypatch)

    assert main(['scenes', 'out']) == status
    assert capsys.readouterr().err == message


def test_other_errors_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    _let_scenes_raise(ZeroDivisionError(), monkeypatch)

    with pytest.raises(ZeroDivisionError):
        main(['scenes', 'out'])


def _let_scenes_raise(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(args: argparse.Namespace) -> None:
        raise error

    monkeypatch.setattr(scenes, 'run', run)
