"""The figures of a comparison: what a run cost and found, and their mean over seeds."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from .run import Run

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
    """The results of runs, and their figures as rows of a table.

    Args:
        runs: Runs, done or not.

    Attributes:
        results: Results of the runs that are done, by the name of their config.
        columns: Costs, COCO's figures, then what else the metrics gave.
        rows: Figures by config and title of the column; ``None`` where there is none.
    """

    def __init__(self, runs: list[Run]) -> None:
        self.results: dict[str, list[dict[str, Any]]] = {run.name: [] for run in runs}
        for run in runs:
            # A former result does not stand for an attempt that failed.
            if run.failure is None and (result := run.result) is not None:
                self.results[run.name].append(result)
        self.columns = [*_COSTS, *self._ap_columns()]
        self.rows: dict[str, dict[str, Figure | None]] = {}
        for name, found in self.results.items():
            values = {
                c.title: [c.value(result) for result in found] for c in self.columns
            }
            self.rows[name] = {
                title: Figure.of([value for value in column if value is not None])
                for title, column in values.items()
            }

    def _ap_columns(self) -> list[Column]:
        """Columns of COCO's figures, then of the groups of classes that metrics add."""
        found = [result['test'] for seeds in self.results.values() for result in seeds]
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


def _positive(ap: float | None) -> float | None:
    """AP; ``None`` for the -1 or NaN of no object."""
    return ap if ap is not None and ap >= 0 else None


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
