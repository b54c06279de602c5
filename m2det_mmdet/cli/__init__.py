"""The command ``m2det``: one module a subcommand, imported when it is called.

A subcommand's module offers ``add_arguments(parser)`` and ``run(args)``; the first
line of its docstring is its help. Both come without MMDetection, which takes seconds
to import: ``run`` imports what it calls.
"""

import argparse
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from .. import register
from ..utils.errors import M2DetError, sentence_of
from ..version import __version__

__all__ = ['main', 'run_command']

COMMANDS = {
    'train': 'train a detector',
    'test': 'evaluate a checkpoint',
    'predict': 'detect objects in images',
    'scenes': 'write the generated demo data set',
    'draw': 'draw ground truth beside predictions',
    'table': 'list what the detectors of a family of configs cost',
    'compare': 'train detectors on the same data and compare them',
    'bench': 'time a detector: network, suppression, images a second',
    'convert': "convert a checkpoint of M2Det's authors or RefineDet's port, or back",
}
# Warnings of libraries that no user of a command can act on.
_FOREIGN_WARNINGS = (
    'torch.meshgrid: in an upcoming release',
    'DeprecationWarning: `num_anchors` is deprecated',
    'Unnecessary conv bias before batch/instance norm',
    r'`torch\.jit\.',
)


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
        epilog='`m2det COMMAND --help` lists the options of a command.',
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
    parser = _Parser(
        prog,
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    try:
        args = parser.parse_args(argv)
        _register()
        with warnings.catch_warnings():
            for message in _FOREIGN_WARNINGS:
                warnings.filterwarnings('ignore', message)
            return module.run(args) or 0
    except (M2DetError, FileNotFoundError, PermissionError) as error:
        print(f'{parser.prog}: {sentence_of(error)}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f'{parser.prog}: interrupted.', file=sys.stderr)
        return 130


def _register() -> None:
    """Import MMDetection, or say in one sentence why that cannot be.

    Raises:
        M2DetError: If packages are missing or do not fit.
    """
    try:
        register()
    except ImportError as error:
        raise M2DetError(str(error)) from error


class _Parser(argparse.ArgumentParser):
    """A parser that says in one sentence what is wrong with the arguments."""

    def error(self, message: str) -> NoReturn:
        raise M2DetError(f'{message} (`{self.prog} --help` lists the options).')
