"""Tell what the detectors of a family of configs cost, beside what was reported.

m2det table FAMILY [--out FILE [--force]]

Prints Markdown tables of the configs in a metafile: parameters in millions and GFLOP
for one image of the config's input size, a multiply-add counted as two; nothing is
downloaded. Of the metafile it takes, where a model's Metadata have them, Table (the
table's title), Step (what the config adds) and Reported box AP.
"""

import argparse
from itertools import groupby
from pathlib import Path
from typing import Any

import mmengine
from mmengine.config import Config

from ..analysis.complexity import measure
from ..utils.configs import find_family
from ..utils.files import check_output, write_whole

_ABSENT = '-'
_PAGE = """# {title}

Written by `m2det table {family} --out FILE`.

Parameters are in millions, those that modules share counted once. GFLOP are those of
backbone, neck and head for one image, a multiply-add counted as two. The box AP, where
there is such a column, is the one that the authors report; a dash means that no figure
has been taken over from them.

{tables}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        'family', help='folder of configs with a metafile: m2det, ablation'
    )
    parser.add_argument(
        '--out', type=Path, metavar='FILE', help='write a Markdown page instead'
    )
    parser.add_argument('--force', action='store_true', help='replace FILE')


def run(args: argparse.Namespace) -> None:
    """Print the tables of a family, or write them to a page."""
    metafile = find_family(args.family)
    out = None if args.out is None else check_output(args.out, force=args.force)
    content = mmengine.load(metafile)
    models = [
        {**model, 'Config': _path(metafile, model['Config'])}
        for model in content['Models']
    ]
    tables = _tables(models)
    if out is None:
        print(tables)
        return
    title = content['Collections'][0]['Name']
    page = _PAGE.format(title=title, family=args.family, tables=tables)
    write_whole(out, lambda file: file.write(page.encode()))
    print(f'Tables written to {args.out}')


def _path(metafile: Path, config: str) -> Path:
    """Path of a config that a metafile names from the root of its project."""
    return next(root / config for root in metafile.parents if (root / config).is_file())


def _tables(models: list[dict[str, Any]]) -> str:
    """Return one table for each run of ``models`` with the same title."""
    parts = []
    for title, group in groupby(models, lambda model: _fact(model, 'Table')):
        if title != _ABSENT:
            parts.append(f'## {title}')
        parts.append(_markdown([_row(model) for model in group]))
    return '\n\n'.join(parts)


def _row(model: dict[str, Any]) -> dict[str, str]:
    """Return the cells of a config by the names of their columns."""
    cost = measure(Config.fromfile(model['Config']))
    height, width = cost.input_size
    return {
        'config': model['Name'],
        'step': _fact(model, 'Step'),
        'input': f'{width}x{height}',
        'parameters (M)': f'{cost.parameters / 1e6:.2f}',
        'GFLOP': _short(cost.flops / 1e9),
        'reported box AP': _fact(model, 'Reported box AP'),
    }


def _short(number: float) -> str:
    """Write one decimal, or three digits of what is below ten."""
    return f'{number:.1f}' if number >= 10 else f'{number:#.3g}'


def _fact(model: dict[str, Any], key: str) -> str:
    return str(model.get('Metadata', {}).get(key, _ABSENT))


def _markdown(rows: list[dict[str, str]]) -> str:
    """Return a table of ``rows`` without the columns that are absent from all."""
    names = [name for name in rows[0] if any(row[name] != _ABSENT for row in rows)]
    lines = [names, ['---'] * len(names)]
    lines += [[row[name] for name in names] for row in rows]
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)
