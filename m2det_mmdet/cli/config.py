"""Print or write a config with all that it inherits.

m2det config CONFIG [-o FILE [--force]] [--cfg-options K=V ...]

What is written inherits from nothing: it is the same config in any folder.
"""

import argparse
from pathlib import Path

from ..utils.errors import M2DetError
from .arguments import add_config_arguments, config_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_config_arguments(parser)
    parser.add_argument(
        '-o', '--out', type=Path, metavar='FILE', help='write a config FILE.py instead'
    )
    parser.add_argument('--force', action='store_true', help='replace FILE')


def run(args: argparse.Namespace) -> None:
    """Print the config, or write it to a file."""
    from ..apis import flatten
    from ..utils.files import check_output, write_whole

    out = None
    if args.out is not None:
        if args.out.suffix != '.py':
            raise M2DetError(f'{args.out} is no name of a config: let it end in .py.')
        out = check_output(args.out, force=args.force)
    text = flatten(args.config, options=config_options(args.cfg_options))
    if out is None:
        print(text, end='')
        return
    write_whole(out, text)
    print(f'Config written to {args.out}')
