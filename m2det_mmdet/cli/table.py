"""List what the detectors of a family of configs cost, beside what was reported.

m2det table FAMILY [--out FILE [--force]]

Prints Markdown tables of the configs in a metafile: parameters in millions and GFLOP
for one image of the config's input size, a multiply-add counted as two; nothing is
downloaded. Of the metafile it takes, where a model's Metadata have them, Table (the
table's title), Step (what the config adds), Reported box AP, and Beside (configs of
mmdet to compare it with). The exit status is 1 if a config cannot be counted; the
others are in the table.
"""

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        'family', help='folder of configs with a metafile: m2det, ablation'
    )
    parser.add_argument(
        '--out', type=Path, metavar='FILE', help='write a Markdown page instead'
    )
    parser.add_argument('--force', action='store_true', help='replace FILE')


def run(args: argparse.Namespace) -> int:
    """Print the tables of a family, or write them to a page.

    Returns:
        The exit status: 1 if a config cannot be counted.
    """
    from ..apis import tabulate
    from ..utils.files import check_output, write_whole

    out = None if args.out is None else check_output(args.out, force=args.force)
    family = tabulate(args.family)
    if out is None:
        print(family.tables())
    else:
        write_whole(out, family.page())
        print(f'Tables written to {args.out}')
    for failure in family.failures:
        print(f'm2det table: {failure}', file=sys.stderr)
    return 1 if family.failures else 0
