"""The command ``m2det``: one module a subcommand, imported when it is called.

A subcommand's module offers ``add_arguments(parser)`` and ``run(args)``; the first
line of its docstring is its help.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from importlib import import_module

from ..checkpoints.loading import CheckpointError
from ..checkpoints.weights import WeightsError
from ..datasets.coco import DatasetError
from ..engine.hooks.pyramid_check_hook import PyramidError
from ..utils.errors import M2DetError
from ..version import __version__

__all__ = ['main', 'run_command']

COMMANDS = {
    'train': 'train a detector',
    'test': 'evaluate a checkpoint',
    'predict': 'detect objects in images',
    'scenes': 'write the generated demo data set',
    'draw': 'draw ground truth beside predictions',
    'table': 'tell what the detectors of a family of configs cost',
    'compare': 'train detectors on the same data and compare them',
    'bench': 'time a detector: network, suppression, images a second',
    'convert': "convert a checkpoint of M2Det's authors or RefineDet's port, or back",
}

_EXPECTED = (M2DetError, CheckpointError, DatasetError, PyramidError, WeightsError)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``m2det COMMAND ...``.

    Args:
        argv: Arguments after the program's name; those of the process by default.

    Returns:
        The exit status.
    """
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        'm2det',
        description='M2Det for MMDetection.',
        epilog='`m2det COMMAND --help` tells the options of a command.',
    )
    parser.add_argument('--version', action='version', version=f'm2det {__version__}')
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for name, help_text in COMMANDS.items():
        commands.add_parser(name, help=help_text, add_help=False)
    command = parser.parse_args(argv[:1]).command
    return run_command(command, argv[1:], prog=f'm2det {command}')


def run_command(name: str, argv: Sequence[str], prog: str | None = None) -> int:
    """Run one subcommand; what a user can get wrong ends in one sentence.

    Args:
        name: Name of the subcommand.
        argv: Its arguments.
        prog: The program's name in its help; the script's by default.

    Returns:
        The exit status: 2 where the user has to change something.
    """
    module = import_module(f'.{name}', __name__)
    parser = argparse.ArgumentParser(
        prog,
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    try:
        return module.run(parser.parse_args(argv)) or 0
    except (*_EXPECTED, FileNotFoundError, PermissionError) as error:
        print(f'{parser.prog}: {_sentence(error)}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f'{parser.prog}: interrupted.', file=sys.stderr)
        return 130


def _sentence(error: Exception) -> str:
    if isinstance(error, M2DetError):
        return str(error)
    # An error of a data loader's worker arrives as the text of its traceback.
    last_line = str(error).strip().splitlines()[-1]
    return re.sub(r'^[\w.]+Error: ', '', last_line)
