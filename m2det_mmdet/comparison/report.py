"""What ``m2det compare`` writes: table, CSV, JSON and picture."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from ..utils.files import write_whole, writing
from ..utils.tables import ABSENT, to_markdown
from ..visualization.costs import CostPoint, draw_costs
from .run import Run

_AP = 'coco/bbox_mAP'
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

    def figures(self) -> dict[str, dict[str, 'Figure | None']]:
        """Return the figures of each config over its seeds, by the table's columns."""
        results = _results(self)
        return _rows(_columns(results), results)


@dataclass(frozen=True)
class Column:
    """A figure of a run.

    Args:
        title: Title of the column.
        digits: Decimals.
        value: Finds the figure in a result; ``None`` where it has none.
    """

    title: str
    digits: int
    value: Callable[[dict[str, Any]], float | None]


@dataclass(frozen=True)
class Figure:
    """A figure of a config over its seeds.

    Args:
        mean: Over the seeds.
        spread: Standard deviation of the sample; ``None`` with one seed.
    """

    mean: float
    spread: float | None

    @classmethod
    def of(cls, values: list[float]) -> 'Figure | None':
        """Summarise the values of the seeds, if there are any."""
        if not values:
            return None
        return cls(fmean(values), stdev(values) if len(values) > 1 else None)

    def text(self, digits: int) -> str:
        """Return the mean, and the spread if the seeds differ."""
        mean = f'{self.mean:.{digits}f}'
        return f'{mean} +- {self.spread:.{digits}f}' if self.spread else mean


Row = dict[str, Figure | None]

PARAMETERS = Column('parameters (M)', 2, lambda r: r['measure']['parameters'] / 1e6)
GFLOP = Column('GFLOP', 2, lambda r: _scaled(r['measure']['flops'], 1e-9))
MILLISECONDS = Column('ms/image', 1, lambda r: 1e3 * r['measure']['seconds_an_image'])
COSTS = (
    PARAMETERS,
    GFLOP,
    MILLISECONDS,
    Column('memory (MiB)', 0, lambda r: _scaled(r['train']['peak_memory'], 2**-20)),
    Column('training (min)', 1, lambda r: r['train']['seconds'] / 60),
    Column('epochs', 1, lambda r: r['train']['epochs']),
)
_KNOWN = {
    _AP: 'AP',
    f'{_AP}_50': 'AP50',
    f'{_AP}_75': 'AP75',
    f'{_AP}_s': 'AP_S',
    f'{_AP}_m': 'AP_M',
    f'{_AP}_l': 'AP_L',
}


def write_report(comparison: Comparison, out: Path) -> None:
    """Write ``comparison`` as ``.md``, ``.csv`` and ``.json`` to ``out``.

    Raises:
        M2DetError: If a file cannot be written.
    """
    results = _results(comparison)
    columns = _columns(results)
    rows = _rows(columns, results)
    texts = {
        'md': _page(comparison, columns, rows, results),
        'csv': _csv(columns, rows, results),
        'json': json.dumps(_plain(comparison, rows, results), indent=2) + '\n',
    }
    for suffix, text in texts.items():
        write_whole(out / f'comparison.{suffix}', text)


def draw_report(comparison: Comparison, out: Path) -> None:
    """Draw AP against the time for an image, and against the operations, to ``out``.

    A picture without points is removed: it would be one of former results.

    Raises:
        M2DetError: If a file cannot be written.
    """
    results = _results(comparison)
    rows = _rows(_columns(results), results)
    y_label = 'AP'
    if any(row['AP'] and row['AP'].spread for row in rows.values()):
        y_label += ', +- standard deviation over the seeds'
    for cost, x_label, name in (
        (MILLISECONDS.title, 'milliseconds an image', 'comparison.png'),
        (GFLOP.title, 'GFLOP', 'comparison_gflop.png'),
    ):
        points = [_point(config, row[cost], row['AP']) for config, row in rows.items()]
        with writing(out / name):
            if any(isfinite(point.cost) and isfinite(point.ap) for point in points):
                draw_costs(points, out / name, x_label=x_label, y_label=y_label)
            else:
                (out / name).unlink(missing_ok=True)


def _results(comparison: Comparison) -> dict[str, list[dict[str, Any]]]:
    """Results of the runs that are done, by config."""
    results: dict[str, list] = {run.name: [] for run in comparison.runs}
    for run in comparison.runs:
        # A former result does not stand for an attempt that failed.
        if run.failure is None and (result := run.result) is not None:
            results[run.name].append(result)
    return results


def _columns(results: dict[str, list[dict[str, Any]]]) -> list[Column]:
    return [*COSTS, *_ap_columns(results)]


def _ap_columns(results: dict[str, list[dict[str, Any]]]) -> list[Column]:
    """Columns of COCO's figures, then of the groups of classes that metrics add."""
    found = [result['test'] for seeds in results.values() for result in seeds]
    keys = dict.fromkeys(key for metrics in found for key in metrics)
    groups = {
        key: f'AP_{key.removeprefix(_AP)[1:]}'
        for key in keys
        if key.startswith(f'{_AP}_') and key not in _KNOWN
    }
    masks = {'coco/segm_mAP': 'mask AP'} if 'coco/segm_mAP' in keys else {}
    return [
        Column(title, 3, lambda r, key=key: _positive(r['test'].get(key)))
        for key, title in {**_KNOWN, **groups, **masks}.items()
    ]


def _rows(
    columns: list[Column], results: dict[str, list[dict[str, Any]]]
) -> dict[str, Row]:
    return {name: _row(columns, found) for name, found in results.items()}


def _row(columns: list[Column], results: list[dict[str, Any]]) -> Row:
    values = {c.title: [c.value(result) for result in results] for c in columns}
    return {
        title: Figure.of([value for value in found if value is not None])
        for title, found in values.items()
    }


def _positive(ap: float | None) -> float | None:
    """AP; ``None`` for the -1 or NaN of no object."""
    return ap if ap is not None and ap >= 0 else None


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _page(
    comparison: Comparison, columns: list[Column], rows: dict[str, Row], results: dict
) -> str:
    table = [
        {'config': name, **{c.title: _cell(row[c.title], c.digits) for c in columns}}
        for name, row in rows.items()
    ]
    return _PAGE.format(
        data=_data_sentence(comparison.data),
        budget=comparison.budget,
        seeds=_seeds_sentence(comparison),
        table=to_markdown(table),
        notes='\n- '.join(_notes(comparison, results)),
    )


def _cell(figure: Figure | None, digits: int) -> str:
    return ABSENT if figure is None else figure.text(digits)


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


def _notes(comparison: Comparison, results: dict) -> list[str]:
    """List what a reader has to know of the figures, and what is missing."""
    done = [result for seeds in results.values() for result in seeds]
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
    for name, seeds in results.items():
        reasons = {result['measure'].get('uncounted') for result in seeds} - {None}
        notes += [f'{name}: operations cannot be counted ({why}).' for why in reasons]
    for run in comparison.runs:
        if run.failure is not None:
            notes.append(f'{run.name}, seed {run.seed} failed: {run.failure}')
        elif run.result is None:
            notes.append(f'{run.name}, seed {run.seed} is not done yet.')
    return notes


def _loads(results: list[dict[str, Any]]) -> list[str]:
    """Tell what else the machine did while it timed, if that is known."""
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


def _csv(columns: list[Column], rows: dict[str, Row], results: dict) -> str:
    """Return a line a config: means, and behind each its spread over the seeds."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator='\n')
    titles = [t for c in columns for t in (c.title, f'{c.title} spread')]
    writer.writerow(['config', 'seeds', *titles])
    for name, row in rows.items():
        figures = [row[column.title] for column in columns]
        cells = [(None, None) if f is None else (f.mean, f.spread) for f in figures]
        values = [value for pair in cells for value in pair]
        writer.writerow([name, len(results[name]), *values])
    return file.getvalue()


def _plain(
    comparison: Comparison, rows: dict[str, Row], results: dict
) -> dict[str, Any]:
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
                'runs': results[name],
                'failures': {
                    str(run.seed): run.failure
                    for run in comparison.runs
                    if run.name == name and run.failure is not None
                },
            }
            for name, row in rows.items()
        ],
    }


def _point(config: str, cost: Figure | None, ap: Figure | None) -> CostPoint:
    """Return a point of the pictures; they name those that lack a figure."""
    means = [nan if figure is None else figure.mean for figure in (cost, ap)]
    return CostPoint(config, *means, ap.spread if ap else None)
