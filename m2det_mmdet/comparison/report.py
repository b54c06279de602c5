"""What ``m2det compare`` writes: table, CSV, JSON and pictures."""

import csv
import io
import json
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path
from typing import Any

from ..utils.files import write_whole, writing
from ..utils.tables import ABSENT, to_markdown
from ..visualization.costs import CostPoint, draw_costs
from .figures import GFLOP, MILLISECONDS, Table
from .run import Run

_PAGE = """# Comparison

Written by `m2det compare`. {data} Each config was trained for {budget} \
with {seeds}, and its last checkpoint was evaluated.

{table}

- {notes}
"""


@dataclass(frozen=True)
class Comparison:
    """The runs of a comparison, done or not.

    Args:
        runs: In the order in which they are done.
        budget: What each may take, in words.
        data: What they are trained and tested on, as plain values.
    """

    runs: list[Run]
    budget: str
    data: dict[str, Any]

    @property
    def failed(self) -> list[Run]:
        """Runs whose last attempt failed."""
        return [run for run in self.runs if run.failure is not None]

    @property
    def table(self) -> Table:
        """The figures of each config over its seeds."""
        return Table(self.runs)


def write_report(comparison: Comparison, out: Path) -> None:
    """Write ``comparison`` as ``.md``, ``.csv`` and ``.json`` to ``out``.

    Raises:
        M2DetError: If a file cannot be written.
    """
    table = comparison.table
    texts = {
        'md': _page(comparison, table),
        'csv': _csv(table),
        'json': json.dumps(_plain(comparison, table), indent=2) + '\n',
    }
    for suffix, text in texts.items():
        write_whole(out / f'comparison.{suffix}', text)


def draw_report(comparison: Comparison, out: Path) -> None:
    """Draw AP against the time for an image, and against the operations, to ``out``.

    A picture without points is removed: it would be one of former results.

    Raises:
        M2DetError: If a file cannot be written.
    """
    rows = comparison.table.rows
    y_label = 'AP'
    if any(row['AP'] and row['AP'].spread for row in rows.values()):
        y_label += ', +- standard deviation over the seeds'
    for cost, x_label, name in (
        (MILLISECONDS.title, 'milliseconds an image', 'comparison.png'),
        (GFLOP.title, 'GFLOP', 'comparison_gflop.png'),
    ):
        points = []
        for config, row in rows.items():
            # The picture names those that lack a figure.
            means = [nan if row[x] is None else row[x].mean for x in (cost, 'AP')]
            spread = row['AP'].spread if row['AP'] else None
            points.append(CostPoint(config, *means, spread))
        with writing(out / name):
            if any(isfinite(point.cost) and isfinite(point.ap) for point in points):
                draw_costs(points, out / name, x_label=x_label, y_label=y_label)
            else:
                (out / name).unlink(missing_ok=True)


def _page(comparison: Comparison, table: Table) -> str:
    rows = []
    for name, row in table.rows.items():
        cells = {
            column.title: ABSENT if figure is None else figure.text(column.digits)
            for column, figure in zip(table.columns, row.values(), strict=True)
        }
        rows.append({'config': name, **cells})
    return _PAGE.format(
        data=_data_sentence(comparison.data),
        budget=comparison.budget,
        seeds=_seeds_sentence(comparison),
        table=to_markdown(rows),
        notes='\n- '.join(_notes(comparison, table)),
    )


def _data_sentence(data: dict[str, Any]) -> str:
    if 'images' not in data:
        return f'Data: {data["name"]}.'
    images = ', '.join(f'{count} in {split}' for split, count in data['images'].items())
    return f'Data: {data["name"]}, {len(data["classes"])} classes, images: {images}.'


def _seeds_sentence(comparison: Comparison) -> str:
    seeds = list(dict.fromkeys(run.seed for run in comparison.runs))
    if len(seeds) == 1:
        return f'the seed {seeds[0]}'
    listed = ', '.join(map(str, seeds))
    return f'each of the seeds {listed} (mean +- standard deviation)'


def _notes(comparison: Comparison, table: Table) -> list[str]:
    """List what a reader has to know of the figures, and what is missing."""
    done = [result for seeds in table.results.values() for result in seeds]
    devices = {result['measure']['device'] for result in done}
    memory = (
        "what PyTorch's allocator gave out at most"
        if devices == {'cuda'}
        else 'the peak resident set of the training process, without those that load'
    )
    notes = [
        'Parameters count once what modules share. GFLOP are those of the network for '
        'one test image, a multiply-add counted as two. ms/image is the median over '
        'test images one at a time, from the preprocessed image to the boxes.',
        f'Memory is {memory}. Training minutes leave out evaluation.',
        *_loads(done),
    ]
    notes += [f'Machine: {name}.' for name in _machines(done)]
    for name, seeds in table.results.items():
        reasons = {result['measure'].get('uncounted') for result in seeds} - {None}
        notes += [f'{name}: operations cannot be counted ({why}).' for why in reasons]
    for run in comparison.runs:
        if run.failure is not None:
            notes.append(f'{run.name}, seed {run.seed} failed: {run.failure}')
        elif run.result is None:
            notes.append(f'{run.name}, seed {run.seed} is not done yet.')
    return notes


def _loads(results: list[dict[str, Any]]) -> list[str]:
    """Say what else the machine did while it timed, if that is known."""
    loads = [load for r in results if (load := r['measure'].get('load')) is not None]
    if not loads:
        return []
    return [
        'ms/image and minutes can be compared if nothing else worked on the machine. '
        f'In the minute before a timing up to {max(loads):.1f} processes ran or waited '
        'for a processor, those of the comparison included.'
    ]


def _machines(results: list[dict[str, Any]]) -> list[str]:
    found = (result['measure'] for result in results)
    described = (
        f'{part["machine"]}; '
        + ', '.join(f'{name} {number}' for name, number in part['versions'].items())
        for part in found
    )
    return list(dict.fromkeys(described))


def _csv(table: Table) -> str:
    """Return a line a config: means, and behind each its spread over the seeds."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator='\n')
    titles = [t for c in table.columns for t in (c.title, f'{c.title} spread')]
    writer.writerow(['config', 'seeds', *titles])
    for name, row in table.rows.items():
        cells = [
            (None, None) if f is None else (f.mean, f.spread) for f in row.values()
        ]
        values = [value for pair in cells for value in pair]
        writer.writerow([name, len(table.results[name]), *values])
    return file.getvalue()


def _plain(comparison: Comparison, table: Table) -> dict[str, Any]:
    """Return everything as values that JSON has."""
    return {
        'budget': comparison.budget,
        'data': comparison.data,
        'configs': [
            {
                'config': name,
                'figures': {
                    title: None if f is None else {'mean': f.mean, 'spread': f.spread}
                    for title, f in row.items()
                },
                'runs': table.results[name],
                'failures': {
                    str(run.seed): run.failure
                    for run in comparison.runs
                    if run.name == name and run.failure is not None
                },
            }
            for name, row in table.rows.items()
        ],
    }
