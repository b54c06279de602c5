"""What ``m2det compare`` writes: table, CSV, JSON and pictures."""

import csv
import io
import json
from contextlib import suppress
from dataclasses import dataclass, field
from math import isfinite, nan
from pathlib import Path
from typing import Any

from ..utils.errors import M2DetError
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
        remarks: How the budget changed the schedule of each config, in words.
        failures: Why the last attempts of runs failed; those that are read from their
            folders come in addition.
    """

    runs: list[Run]
    budget: str
    data: dict[str, Any]
    remarks: dict[str, list[str]] = field(default_factory=dict)
    failures: dict[Run, str] = field(default_factory=dict)

    def fail(self, run: Run, reason: str) -> None:
        """Keep why an attempt failed, also in the folder of the run if possible."""
        self.failures[run] = reason
        with suppress(M2DetError):
            run.fail(reason)

    def failure(self, run: Run) -> str | None:
        """Why the last attempt of a run failed; ``None`` if it did not."""
        return self.failures.get(run) or run.failure

    @property
    def failed(self) -> list[Run]:
        """Runs whose last attempt failed."""
        return [run for run in self.runs if self.failure(run) is not None]

    @property
    def table(self) -> Table:
        """The figures of each config over its seeds."""
        results: dict[str, list] = {run.name: [] for run in self.runs}
        for run in self.runs:
            # A former result does not stand for an attempt that failed.
            if self.failure(run) is None and (result := run.result) is not None:
                results[run.name].append(result)
        return Table(results)


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
    done = [result for source in table.sources.values() for result in source.results]
    notes = [
        'Parameters count once what modules share. GFLOP are those of the network for '
        'one test image, a multiply-add counted as two. ms/image is the median over '
        'test images one at a time, from the preprocessed image to the boxes.',
        f'Memory is {_memory(done)}. Training minutes leave out evaluation. '
        'The loss is the mean over the last epoch, and can be compared between '
        'detectors of the same losses.',
        *_loads(done),
        *_machines(table),
        *_schedules(comparison),
    ]
    for title, source in table.sources.items():
        found = {result['measure'].get('uncounted') for result in source.results}
        reasons = found - {None}
        notes += [f'{title}: operations cannot be counted ({why}).' for why in reasons]
    for run in comparison.runs:
        if (failure := comparison.failure(run)) is not None:
            notes.append(f'{run.name}, seed {run.seed} failed: {failure}')
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


def _memory(results: list[dict[str, Any]]) -> str:
    """Say what was counted, which depends on the device."""
    devices = {result['measure']['device'] for result in results}
    allocated = "what PyTorch's allocator gave out at most"
    resident = 'the peak resident set of the training process, without those that load'
    if devices <= {'cuda'} and devices:
        return allocated
    return f'{allocated} on a GPU, else {resident}' if 'cuda' in devices else resident


def _machines(table: Table) -> list[str]:
    """Name what the results were found on; number it where there are several."""
    if len(table.machines) < 2:
        return [f'Machine: {machine}.' for machine in table.machines]
    return [
        'Results of several machines or versions are kept apart, and their times and '
        'memory cannot be compared.',
        *(f'Machine {i}: {name}.' for i, name in enumerate(table.machines, start=1)),
    ]


def _schedules(comparison: Comparison) -> list[str]:
    """Say how schedules were scaled, once for configs with the same."""
    sharing: dict[str, list[str]] = {}
    for name, remarks in comparison.remarks.items():
        if remarks:
            sharing.setdefault('; '.join(remarks), []).append(name)
    return [
        f'Schedule of {", ".join(names)}: {text}.' for text, names in sharing.items()
    ]


def _csv(table: Table) -> str:
    """Return a line a row: means, and behind each its spread over the seeds."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator='\n')
    titles = [t for c in table.columns for t in (c.title, f'{c.title} spread')]
    writer.writerow(['config', 'machine', 'seeds', *titles])
    for title, row in table.rows.items():
        cells = [
            (None, None) if f is None else (f.mean, f.spread) for f in row.values()
        ]
        values = [value for pair in cells for value in pair]
        config, machine, results = table.sources[title]
        writer.writerow([config, machine, len(results), *values])
    return file.getvalue()


def _plain(comparison: Comparison, table: Table) -> dict[str, Any]:
    """Return everything as values that JSON has."""
    return {
        'budget': comparison.budget,
        'data': comparison.data,
        'configs': [
            {
                'config': source.config,
                'machine': source.machine,
                'schedule': comparison.remarks.get(source.config, []),
                'figures': {
                    name: None if f is None else {'mean': f.mean, 'spread': f.spread}
                    for name, f in table.rows[title].items()
                },
                'runs': source.results,
                'failures': {
                    str(run.seed): comparison.failure(run)
                    for run in comparison.failed
                    if run.name == source.config
                },
            }
            for title, source in table.sources.items()
        ],
    }
