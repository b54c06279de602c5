"""Tell what is wrong with the data of a folder, before a training.

m2det check DATA [CONFIG] [--images] [-o FILE.json]

DATA is a folder in COCO's, VOC's or YOLO's form, or as a labelling tool leaves it, or
the data.yaml of one. With CONFIG its anchors are compared with the objects.

The exit status is 0 if the data are sound, 1 if there are faults that cost objects or
accuracy, and 2 if the data cannot be used.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import add_boundary_argument, data_path

if TYPE_CHECKING:
    from ..apis import DataCheck

# Classes in the table.
_MOST_CLASSES = 20
_VERDICTS = (
    'Sound: nothing that costs objects or accuracy.',
    'Faults that cost objects or accuracy: mend them, or train and lose these objects.',
    'Cannot be used: mend what has the level stop first.',
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument('data', type=data_path, metavar='DATA', help='data folder')
    parser.add_argument(
        'config',
        nargs='?',
        metavar='CONFIG',
        help='config whose anchors are compared with the objects',
    )
    parser.add_argument(
        '--images',
        action='store_true',
        help='read each image whole; else their headers, and more of few',
    )
    add_boundary_argument(parser)
    parser.add_argument(
        '--seed', type=int, default=0, help='decides the split where there is none'
    )
    parser.add_argument(
        '-o', '--out', type=Path, metavar='FILE', help='write all of it as JSON, too'
    )
    parser.add_argument('--force', action='store_true', help='replace FILE')


def run(args: argparse.Namespace) -> int:
    """Check the data, and print what was found.

    Returns:
        The exit status: 0, 1 or 2 as the worst fault.
    """
    from ..apis import check_data
    from ..utils.files import check_output, write_whole

    out = None if args.out is None else check_output(args.out, force=args.force)
    check = check_data(
        args.data,
        config=args.config,
        images=args.images,
        seed=args.seed,
        allow_outside=args.allow_outside,
    )
    print(report_of(check))
    if out is not None:
        write_whole(out, check.to_json())
        print(f'Written to {args.out}')
    return int(check.level)


def report_of(check: 'DataCheck') -> str:
    """Write what a data folder holds, what is wrong with it, and the verdict."""
    parts = [_content(check)]
    if check.classes:
        parts.append(_classes(check))
    if check.findings:
        parts += [_table(check), _details(check)]
    return '\n\n'.join([*parts, _VERDICTS[check.level]])


def _content(check: 'DataCheck') -> str:
    if not check.form:
        return f'{check.root} cannot be read as a data set.'
    counts = ', '.join(
        f'{split} {count:,} images with {sum(check.objects[split].values()):,} objects'
        for split, count in check.images.items()
    )
    lines = [f'{check.root}, in the form of {check.form.upper()}: {counts}.']
    if check.split_seed is not None:
        lines.append(f'The split was made here, with the seed {check.split_seed}.')
    return '\n'.join(lines)


def _classes(check: 'DataCheck') -> str:
    from ..utils.tables import to_markdown
    from ..utils.texts import one_line

    rows = [
        {'class': one_line(name)}
        | {split: f'{counts[name]:,}' for split, counts in check.objects.items()}
        for name in check.classes[:_MOST_CLASSES]
    ]
    more = len(check.classes) - len(rows)
    return to_markdown(rows, aligned=True) + (f'\n... and {more} more' if more else '')


def _table(check: 'DataCheck') -> str:
    from ..utils.tables import to_markdown

    rows = [
        {
            'level': finding.kind.level.name.lower(),
            'finding': finding.kind.name,
            'count': f'{finding.count:,}',
        }
        for finding in check.findings
    ]
    return to_markdown(rows, aligned=True)


def _details(check: 'DataCheck') -> str:
    lines = []
    for finding in check.findings:
        kind = finding.kind
        lines.append(f'{kind.name} ({finding.count:,}): {kind.what}. {kind.fix}')
        lines += [f'  {example}' for example in finding.examples]
    return '\n'.join(lines)
