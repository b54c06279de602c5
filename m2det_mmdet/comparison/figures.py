"""The figures of a comparison: what a run cost and found, and their mean over seeds."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, NamedTuple

_AP = 'coco/bbox_mAP'


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

    def figure(self, results: list[dict[str, Any]]) -> 'Figure | None':
        """Summarise the figure over the results that have it."""
        values = [self.value(result) for result in results]
        return Figure.of([value for value in values if value is not None])


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


PARAMETERS = Column('parameters (M)', 2, lambda r: r['measure']['parameters'] / 1e6)
GFLOP = Column('GFLOP', 2, lambda r: _scaled(r['measure']['flops'], 1e-9))
MILLISECONDS = Column('ms/image', 1, lambda r: 1e3 * r['measure']['seconds_an_image'])
_COSTS = (
    PARAMETERS,
    GFLOP,
    MILLISECONDS,
    Column('memory (MiB)', 0, lambda r: _scaled(r['train']['peak_memory'], 2**-20)),
    Column('training (min)', 1, lambda r: r['train']['seconds'] / 60),
    Column('epochs', 1, lambda r: r['train']['epochs']),
    # Results of version 1.0.0 have none.
    Column('loss', 2, lambda r: r['train'].get('loss')),
)
_KNOWN = {
    _AP: 'AP',
    f'{_AP}_50': 'AP50',
    f'{_AP}_75': 'AP75',
    f'{_AP}_s': 'AP_S',
    f'{_AP}_m': 'AP_M',
    f'{_AP}_l': 'AP_L',
}


class Table:
    """The figures of results as rows of a table, one a config and machine.

    What ran on other devices or versions is another measurement: no mean is taken over
    them.

    Args:
        results: Results of the runs that are done, by the name of their config.

    Attributes:
        machines: What the results were found on, each once.
        columns: Costs, COCO's figures, then what else the metrics gave.
        sources: Config, machine (``None`` without a result) and results of each row, by
            its title: the config, with the number of the machine if there are several.
        rows: Figures by title of row and column; ``None`` where there is none.
    """

    def __init__(self, results: dict[str, list[dict[str, Any]]]) -> None:
        everything = [result for found in results.values() for result in found]
        self.machines = list(dict.fromkeys(map(machine_of, everything)))
        self.columns = [*_COSTS, *_ap_columns(everything)]
        self.sources: dict[str, Source] = {}
        for name, found in results.items():
            for machine in dict.fromkeys(map(machine_of, found)) or [None]:
                part = [result for result in found if machine_of(result) == machine]
                self.sources[self._title(name, machine)] = Source(name, machine, part)
        self.rows = {
            title: {c.title: c.figure(source.results) for c in self.columns}
            for title, source in self.sources.items()
        }

    def _title(self, name: str, machine: str | None) -> str:
        if machine is None or len(self.machines) == 1:
            return name
        return f'{name}, machine {self.machines.index(machine) + 1}'


class Source(NamedTuple):
    """What a row is made of."""

    config: str
    machine: str | None
    results: list[dict[str, Any]]


def machine_of(result: dict[str, Any]) -> str:
    """Name what a run was trained, tested and timed on: devices and versions."""
    timed = result['measure']
    steps = result.get('machines') or {'measure': [machine_text(timed)]}
    named = dict.fromkeys(name for step in steps.values() for name in step)
    tuned = timed['device'] == 'cuda' and timed.get('cudnn_benchmark')
    return ', then '.join(named) + ('; timed with cudnn_benchmark' if tuned else '')


def machine_text(found: dict[str, Any]) -> str:
    """Name a machine and the versions of what computes on it."""
    versions = (f'{name} {number}' for name, number in found['versions'].items())
    return f'{found["machine"]}; {", ".join(versions)}'


def _ap_columns(results: list[dict[str, Any]]) -> list[Column]:
    """Columns of COCO's figures, then of the groups of classes that metrics add."""
    keys = dict.fromkeys(key for result in results for key in result['test'])
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


def _positive(ap: float | None) -> float | None:
    """AP; ``None`` for the -1 or NaN of no object."""
    return ap if ap is not None and ap >= 0 else None


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
