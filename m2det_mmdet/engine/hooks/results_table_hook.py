"""Keeps the figures of a training in a table, a row an epoch."""

import csv
import io
import time
from pathlib import Path

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...utils.files import write_whole

FILE = 'results.csv'
_FIRST = ('epoch', 'seconds', 'learning_rate')
Row = dict[str, str]


@HOOKS.register_module()
class ResultsTableHook(Hook):
    """Writes ``results.csv`` in the work folder: a row for each epoch.

    The columns are the epoch, the seconds that its training took, the learning rate at
    its end, the means of all losses over the epoch, and the figures of the validation
    that followed, if one did. A resumed training goes on with the rows before it.
    """

    # After the hooks that compute what is written.
    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        """Take over the rows of the epochs that were trained before."""
        path = Path(runner.work_dir, FILE)
        self._rows: dict[int, Row] = {}
        if runner.rank == 0 and runner.epoch > 0 and path.is_file():
            with open(path, newline='', encoding='utf-8') as file:
                rows = [row for row in csv.DictReader(file) if _epoch(row)]
            self._rows = {_epoch(x): x for x in rows if _epoch(x) <= runner.epoch}

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the clock."""
        self._start = time.monotonic()

    def after_train_epoch(self, runner: Runner) -> None:
        """Write the losses of an epoch."""
        if runner.rank != 0:
            return
        scalars = runner.message_hub.log_scalars
        batches = len(runner.train_dataloader)
        row = {
            'epoch': str(runner.epoch + 1),
            'seconds': f'{time.monotonic() - self._start:.1f}',
        }
        if 'train/lr' in scalars:
            row['learning_rate'] = f'{scalars["train/lr"].current():.4g}'
        for name, values in scalars.items():
            if name.startswith('train/') and 'loss' in name:
                mean = values.mean(batches)
                row[name.removeprefix('train/')] = f'{mean:.5g}'
        self._rows[runner.epoch + 1] = row
        self._write(runner)

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Add the figures of a validation to the row of its epoch."""
        if runner.rank != 0 or runner.epoch not in self._rows:
            return
        figures = {name: f'{value:.5g}' for name, value in (metrics or {}).items()}
        self._rows[runner.epoch].update(figures)
        self._write(runner)

    def _write(self, runner: Runner) -> None:
        rows = [self._rows[epoch] for epoch in sorted(self._rows)]
        columns = dict.fromkeys([*_FIRST, *(name for row in rows for name in row)])
        text = io.StringIO()
        writer = csv.DictWriter(text, list(columns), restval='', lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)
        write_whole(Path(runner.work_dir, FILE), text.getvalue())


def _epoch(row: Row) -> int:
    """Number of a row's epoch; 0 where a file has none."""
    number = row.get('epoch') or ''
    return int(number) if number.isascii() and number.isdigit() else 0
