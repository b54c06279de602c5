"""The options of subcommands that run a network faster."""

import argparse
import os
import shutil
import sys
from typing import Any

import torch

from ..models.acceleration import DTYPES
from ..utils.errors import M2DetError

# What PyTorch calls where CXX is not set.
_COMPILERS = {'darwin': 'clang++', 'win32': 'cl'}


def add_acceleration_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`acceleration_options` reads."""
    parser.add_argument(
        '--fast',
        action='store_true',
        help='fold batch norms into convolutions and store weights channels last',
    )
    parser.add_argument(
        '--compile',
        action='store_true',
        help='compile the network at the first image of each size; '
        'on a CPU it needs a C++ compiler',
    )
    parser.add_argument(
        '--autocast', choices=DTYPES, help='lower precision inside the network'
    )


def acceleration_options(args: argparse.Namespace) -> dict[str, Any] | None:
    """Arguments of :func:`.accelerate`.

    Args:
        args: What the parser of :func:`add_acceleration_arguments` returned.

    Returns:
        Keyword arguments, or ``None`` if no option was given.

    Raises:
        M2DetError: If there is nothing to compile with.
    """
    # CXX may hold options, or a wrapper before the compiler.
    command = os.environ.get('CXX') or _COMPILERS.get(sys.platform, 'g++')
    compiler = command.split()[0]
    if args.compile and not torch.cuda.is_available() and not shutil.which(compiler):
        raise M2DetError(
            f'--compile needs a C++ compiler and there is no {compiler}: install it, '
            'set CXX to another one, or leave the option out.'
        )
    if not (args.fast or args.compile or args.autocast):
        return None
    return {
        'fold_norm': args.fast,
        'channels_last': args.fast,
        'compile': args.compile,
        'autocast': args.autocast,
    }
