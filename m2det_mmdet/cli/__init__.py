"""The command ``m2det``: one module a subcommand, imported when it is called.

A subcommand's module offers ``add_arguments(parser)`` and ``run(args)``; the first
line of its docstring is its help. Both come without MMDetection, which takes seconds
to import: ``run`` imports what it calls. A module that says ``NEEDS_FRAMEWORK = False``
runs where MMDetection is missing, too.
"""

import argparse
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import NoReturn

from .. import register
from ..utils.builds import did_you_mean
from ..utils.errors import M2DetError, mendable

# A subcommand has that name, too.
from ..utils.errors import explain as explain_error
from ..utils.launchers import is_first_process
from ..utils.tellers import rank_of_error
from ..version import __version__

__all__ = ['main', 'run_command']

COMMANDS = {
    'train': 'train a detector',
    'test': 'evaluate a checkpoint',
    'predict': 'detect objects in images, or in a video',
    'webui': 'serve a page on which a detector looks at pictures',
    'explain': 'tell what each level of MLFPN gives to the scores',
    'report': 'write a page that tells what a detector can and cannot do',
    'check': 'tell what is wrong with the data of a folder',
    'config': 'print or write a config with all that it inherits',
    'scenes': 'write the generated demo data set',
    'anchors': 'find sizes of anchors that fit a data set',
    'draw': 'draw ground truth beside predictions',
    'table': 'list what the detectors of a family of configs cost',
    'compare': 'train detectors on the same data and compare them',
    'bench': 'time a detector: network, suppression, images a second',
    'zoo': 'list the weights that have a name, and what is known of each',
    'export': 'write a detector as one file that runs without MMDetection',
    'inspect': 'tell what an exported file is',
    'convert': "convert a checkpoint of M2Det's authors or RefineDet's port, or back",
    'doctor': 'tell whether the installation works, and what to do where it does not',
}
# Warnings of libraries that no user of a command can act on.
_FOREIGN_WARNINGS = (
    'torch.meshgrid: in an upcoming release',
    'DeprecationWarning: `num_anchors` is deprecated',
    'Unnecessary conv bias before batch/instance norm',
    r'`torch\.jit\.',
    r'Warning: The \w+ is out of bounds',
    # Readers that wait for a disk may be more than the processors.
    r'This DataLoader will create \d+ worker processes',
    # Of MMEngine's launchers and its wrapper for several processes.
    r'Multi-processing start method `\w+` is different from the previous',
    r'Setting \w+_NUM_THREADS environment variable for each process',
    '`broadcast_buffers` is deprecated',
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``m2det COMMAND ...``.

    Args:
        argv: Arguments after the program's name; those of the process by default.

    Returns:
        The exit status.
    """
    argv = sys.argv[1:] if argv is None else argv
    parser = _Parser(
        'm2det',
        description='M2Det for MMDetection.',
        epilog='`m2det COMMAND --help` lists the options of a command. '
        'Exit status: 0 done; 1 failed, wholly or in part; 2 something is to be '
        'changed; 130 interrupted.',
    )
    parser.add_argument('--version', action='version', version=f'm2det {__version__}')
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for name, help_text in COMMANDS.items():
        commands.add_parser(name, help=help_text, add_help=False)
    if not argv:
        parser.print_help(sys.stderr)
        return 2
    try:
        _check_command(argv[0])
        command = parser.parse_args(argv[:1]).command
    except M2DetError as error:
        return _fail(parser.prog, error)
    return run_command(command, argv[1:], prog=f'm2det {command}')


def run_command(name: str, argv: Sequence[str], prog: str | None = None) -> int:
    """Run one subcommand; whatever goes wrong ends in one sentence.

    Args:
        name: Name of the subcommand.
        argv: Its arguments.
        prog: The program's name in its help; the script's by default.

    Returns:
        The exit status: 0 if all is done; 2 where the user has to change something; 1
        after an error that nobody thought of, or what the subcommand means by it; 130
        and 141 if the user, or the reader of the output, ended the command.
    """
    module = import_module(f'.{name}', __name__)
    parser = _Parser(
        prog,
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    parser.words = argv
    parser.add_argument(
        '--traceback', action='store_true', help='show in full where an error arose'
    )
    try:
        args = parser.parse_args(argv)
    except M2DetError as error:
        return _fail(parser.prog, error)
    try:
        return _run(module, args)
    except KeyboardInterrupt:
        print(f'{parser.prog}: interrupted.', file=sys.stderr)
        return 130
    except BrokenPipeError:
        _drop_output()
        return 141
    except Exception as error:
        if args.traceback:
            traceback.print_exc()
        return _fail(parser.prog, error)


def _check_command(word: str) -> None:
    """Stop at a word that is no command, with those that are like it."""
    if word not in COMMANDS and not word.startswith('-'):
        hint = did_you_mean(word, [*COMMANDS]) or '`m2det --help` lists them.'
        raise M2DetError(f'There is no command {word}: {hint}')


def _run(module: ModuleType, args: argparse.Namespace) -> int:
    """Import MMDetection, then run a subcommand and write all that it prints."""
    if getattr(module, 'NEEDS_FRAMEWORK', True):
        register()
    with warnings.catch_warnings():
        for message in _FOREIGN_WARNINGS:
            warnings.filterwarnings('ignore', message)
        if not is_first_process():
            # The first one warns for all.
            warnings.simplefilter('ignore')
        status = module.run(args) or 0
    sys.stdout.flush()
    return status


def _fail(prog: str, error: Exception) -> int:
    """Print the sentence on an error, and return the exit status."""
    known = mendable(error) is not None
    advice = '' if known else '; --traceback shows all'
    rank = rank_of_error(error)
    # Of several processes one tells of it.
    if rank is not None:
        teller = f'{prog}: {rank}: ' if rank else f'{prog}: '
        print(f'{teller}{explain_error(error)}{advice}', file=sys.stderr)
    return 2 if known else 1


def _drop_output() -> None:
    """Let what is left for standard output go nowhere, since nobody reads it."""
    # Python would try once more at its end, and complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    """A parser that says in one sentence what is wrong with the arguments.

    Attributes:
        words: What it is to parse.
    """

    words: Sequence[str] = ()

    def error(self, message: str) -> NoReturn:
        greedy = self._greedy(message)
        hint = f'; {greedy} takes all words behind it: give it last' if greedy else ''
        raise M2DetError(f'{message}{hint} (`{self.prog} --help` lists the options).')

    def _greedy(self, message: str) -> str | None:
        """Return the option that has taken words which were meant otherwise."""
        for action in self._actions:
            names = {*action.option_strings} & {*self.words}
            if action.nargs in ('+', '*') and names:
                name = '/'.join(action.option_strings)
                if message.startswith(
                    ('the following arguments are required', f'argument {name}: ')
                ):
                    return names.pop()
        return None
