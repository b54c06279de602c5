import argparse
import re
import subprocess
import sys
import warnings

import pytest
from torch.utils.data import DataLoader

from m2det_mmdet import __version__, cli
from m2det_mmdet.cli import COMMANDS, main, scenes
from m2det_mmdet.compat.environment import PackagesError
from m2det_mmdet.datasets.coco import DatasetError
from m2det_mmdet.utils.errors import M2DetError

FROM_WORKER = """Caught DatasetError in DataLoader worker process 0.
Original Traceback (most recent call last):
  File "coco.py", line 1, in prepare_data
m2det_mmdet.datasets.coco.DatasetError: The image a.jpg does not exist.
"""

# A command that prints more than a pipe holds, without MMDetection.
MUCH = """
import sys
import m2det_command
from m2det_mmdet import cli
from m2det_mmdet.cli import scenes
cli.register = lambda: None
scenes.run = lambda args: print(*range(100000), sep='\\n')
sys.exit(cli.main(['scenes', 'out']))
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


def test_more_readers_than_processors_are_no_matter(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    def load(args: argparse.Namespace) -> None:
        DataLoader([0], num_workers=10_000)
        warnings.warn('Something else.', stacklevel=2)

    monkeypatch.setattr(scenes, 'run', load)

    assert main(['scenes', 'out']) == 0
    assert [str(warning.message) for warning in recwarn] == ['Something else.']


def test_no_command_lists_all(capsys: pytest.CaptureFixture) -> None:
    assert main([]) == 2
    captured = capsys.readouterr()
    assert not captured.out
    assert all(f'{name} ' in captured.err for name in COMMANDS)


@pytest.mark.parametrize(
    ('argv', 'sentence'),
    [
        (['trian'], 'There is no command trian: did you mean train?'),
        (['x'], 'There is no command x: `m2det --help` lists them.'),
    ],
)
def test_an_unknown_command_comes_with_similar_ones(
    argv: list[str], sentence: str, capsys: pytest.CaptureFixture
) -> None:
    assert main(argv) == 2
    assert capsys.readouterr().err == f'm2det: {sentence}\n'


@pytest.mark.parametrize(
    ('argv', 'option'),
    [
        (['predict', '--classes', 'car', 'run', 'a.jpg'], '--classes'),
        (['predict', '--format', 'csv', 'run', 'a.jpg'], '--format'),
        (['test', '--cfg-options', 'a=1', 'run'], '--cfg-options'),
    ],
)
def test_an_option_that_takes_the_inputs_is_named(
    argv: list[str], option: str, capsys: pytest.CaptureFixture
) -> None:
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert f'; {option} takes all words behind it: give it last (' in error


def test_an_option_behind_the_inputs_is_not_blamed(
    capsys: pytest.CaptureFixture,
) -> None:
    assert main(['predict', 'run', 'a.jpg', '--classes', 'a', '--tile', 'x']) == 2
    assert 'takes all words' not in capsys.readouterr().err


@pytest.mark.parametrize(
    'argv',
    [
        ['train', '--data', ''],
        ['check', ' '],
        ['anchors', 'm2det_vgg_320', '--data', ''],
        ['compare', 'm2det_vgg_320', '--out', 'x', '--epochs', '1', '--data', ''],
    ],
)
def test_no_name_of_data_is_not_the_folder_of_the_command(
    argv: list[str], capsys: pytest.CaptureFixture
) -> None:
    assert main(argv) == 2
    assert 'is empty: give a folder (. is this one)' in capsys.readouterr().err


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


def test_other_errors_end_in_one_sentence_with_type_and_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    _let_scenes_raise(ZeroDivisionError('By zero.'), monkeypatch)

    assert main(['scenes', 'out']) == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r'm2det scenes: ZeroDivisionError: By zero\. \(.*test_main\.py:\d+\); '
        '--traceback shows all',
        error,
    )


@pytest.mark.parametrize(
    ('error', 'status'), [(ZeroDivisionError(), 1), (M2DetError('No.'), 2)]
)
def test_the_traceback_is_shown_on_request(
    error: Exception,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    _let_scenes_raise(error, monkeypatch)

    assert main(['scenes', 'out', '--traceback']) == status
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == 'Traceback (most recent call last):'
    assert '    raise error' in lines
    assert lines[-1].startswith('m2det scenes: ')


@pytest.mark.parametrize('command', COMMANDS)
def test_every_command_shows_tracebacks(
    command: str, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit):
        main([command, '--help'])
    assert '--traceback' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('error', 'sentence'),
    [
        (PackagesError('Install mmdet.'), 'Install mmdet.'),
        (ImportError('No libGL.so.1'), 'ImportError: No libGL.so.1 ('),
    ],
)
def test_packages_that_fail_end_in_one_sentence(
    error: ImportError,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, 'register', fail)

    assert main(['scenes', 'out']) == 2 - (type(error) is ImportError)
    assert capsys.readouterr().err.startswith(f'm2det scenes: {sentence}')


def test_a_reader_may_stop_reading() -> None:
    process = subprocess.Popen(
        [sys.executable, '-c', MUCH], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == b'0\n'
    process.stdout.close()

    assert process.wait(60) == 141
    assert process.stderr.read() == b''
    process.stderr.close()


def _let_scenes_raise(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(args: argparse.Namespace) -> None:
        raise error

    monkeypatch.setattr(scenes, 'run', run)
