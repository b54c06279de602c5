"""What the subcommands show: progress, results, the next command."""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from ..apis import DataRead, Evaluated, Step, Tally, TrainingResult, TrainingStarted
from ..apis.evaluation import AP_KEYS
from ..apis.run_folder import CONFIG
from ..utils.launchers import is_first_process
from ..utils.tables import ABSENT
from .check import report_of

# Batches between two lines where the output is no terminal.
_INTERVAL = 50
_SHOWN = 10  # classes in a line
_NOTHING = 'nothing with so high a score (--score-thr sets the lowest)'


@contextmanager
def bar(description: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a progress bar, and the time that is left, while the context lasts.

    Yields:
        A function that gets how much is done, and of how much, where that is known.
    """
    # The stream of now: a run redirects standard output.
    with _progress(Console(file=sys.stdout), TimeRemainingColumn()) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def found_in(tally: Tally, what: str) -> str:
    """Say how much a prediction has found in images or frames."""
    # Those that are as many by their names: processes count in any order.
    most = sorted(tally.counts.items(), key=lambda item: (-item[1], item[0]))
    counts = [f'{number} {name}' for name, number in most[:_SHOWN]]
    if (rest := len(most) - _SHOWN) > 0:
        counts.append(f'and {rest} other classes')
    where = f'{tally.num_found} of {tally.num_images} {what}'
    return f'Found in {where}: {", ".join(counts) or _NOTHING}'


def format_ap(metrics: dict[str, float]) -> str:
    """Write AP and, behind it, AP by IoU, by size and by what else the metric gives."""
    for key in AP_KEYS:
        if key in metrics:
            parts = {
                name.removeprefix(key): value
                for name, value in metrics.items()
                if name.startswith(key)
            }
            ordered = sorted(parts.items(), key=lambda part: part[0] != '')
            return ' | '.join(f'AP{name} {_figure(value)}' for name, value in ordered)
    listed = ' | '.join(f'{name} {_figure(value)}' for name, value in metrics.items())
    return listed or 'no AP: nothing was found in any image'


class TrainingConsole:
    """Shows a training: a bar on a terminal, else a line now and then.

    Args:
        config: The config as the user named it, for the next command; ``None`` for
            the copy in the work folder.
    """

    def __init__(self, config: str | None) -> None:
        self.config = config
        # The stream of now: a run redirects standard output.
        self.console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self.progress = _progress(self.console)
        self.task = self.progress.add_task('', total=None, visible=False)
        self.last: Step | None = None
        self.end_of_epoch: str | None = None

    def __enter__(self) -> 'TrainingConsole':
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def show(self, event: DataRead | TrainingStarted | Step | Evaluated) -> None:
        """Show what has happened."""
        if isinstance(event, DataRead):
            self._tell_data(event)
        elif isinstance(event, TrainingStarted):
            self._begin(event)
        elif isinstance(event, Evaluated):
            self._evaluated(event)
        else:
            self._step(event)

    def close(self, result: TrainingResult) -> None:
        """Show the result and the next command."""
        self.progress.stop()
        self._print_end_of_epoch()
        checkpoint = result.usable_checkpoint
        kind = 'Best' if result.best_checkpoint else 'Last'
        length = f'iteration {result.iterations}'
        if result.epochs is not None:
            planned = self.last.epochs if self.last else None
            # Fewer where the AP did not grow any more.
            of = f' of {planned}' if planned and result.epochs < planned else ''
            length = f'epoch {result.epochs}{of} ({length})'
        self._print(f'Trained to {length} in {_duration(result.seconds)}.')
        if checkpoint is None:
            return
        self._print(f'{kind} checkpoint: {checkpoint}')
        if result.weights is not None:
            self._print(f'Its weights alone: {result.weights}')
        if result.report is not None:
            self._print(f'Report: {result.report}')
        elif result.report_problem is not None:
            print(result.report_problem, file=sys.stderr)
        model = [self.config or str(result.config), str(checkpoint)]
        config = Path(model[0])
        if config.resolve() == (result.work_dir / CONFIG).resolve():
            # A run folder has both.
            model = [str(config.parent)]
        self._print(f'Next: {shlex.join(["m2det", "test", *model])}')
        self._print(f'      {shlex.join(["m2det", "predict", *model])} IMAGES')

    def _tell_data(self, read: DataRead) -> None:
        self._print(report_of(read.check))
        for remark in read.remarks:
            self._print(remark)
        self._print(f'Run: {read.run}')

    def _evaluated(self, event: Evaluated) -> None:
        place = 'validation' if event.epoch is None else f'epoch {event.epoch}'
        if self.last is not None and event.epoch is not None:
            # The line of the epoch's end is this one.
            place, self.end_of_epoch = _describe(self.last, with_batch=False), None
        self._print(f'{place}: {format_ap(event.metrics)}')

    def _begin(self, start: TrainingStarted) -> None:
        images = {'train': 'to learn from', 'val': 'to validate on'}
        counts = ', '.join(
            f'{count:,} images {images[stage]}' for stage, count in start.images.items()
        )
        length = _count(start.iterations, 'iteration')
        if start.epochs is not None:
            length = f'{_count(start.epochs, "epoch")}, {length}'
        self._print(
            f'Training {start.config} ({start.model}, {start.parameters / 1e6:.2f} M '
            f'parameters) on {start.device}'
        )
        self._print(f'Data: {counts}')
        self._print(f'Classes: {len(start.classes)} ({_names(start.classes)})')
        self._print(f'Length: {length} of {start.batch_size} images')
        if start.start is not None:
            rest = f'; at random: {start.left_out}' if start.left_out else ''
            self._print(f'Weights: {start.start}{rest}')
        if start.resumed_from is not None:
            self._print(f'Resuming from {start.resumed_from}')
        self._print(f'Log: {start.log}')

    def _step(self, step: Step) -> None:
        if step.stage == 'train':
            self._print_end_of_epoch()
            self.last = step
        if self.console.is_terminal:
            self.progress.update(
                self.task,
                # The bar shows the batch by itself.
                description=_describe(step, with_batch=False),
                completed=step.batch,
                total=step.batches,
                visible=True,
            )
        elif step.stage == 'train':
            if step.batch == step.batches:
                self.end_of_epoch = _describe(step)
            elif step.batch % _INTERVAL == 0:
                self._print(_describe(step))

    def _print_end_of_epoch(self) -> None:
        """Print the line of an epoch that no validation has followed."""
        if self.end_of_epoch is not None:
            self._print(self.end_of_epoch)
            self.end_of_epoch = None

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False)


def _progress(console: Console, *more: ProgressColumn) -> Progress:
    """Return a bar that goes when it is done; none where there is no terminal."""
    return Progress(
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        *more,
        console=console,
        redirect_stdout=False,
        redirect_stderr=False,
        transient=True,
        disable=not console.is_terminal or not is_first_process(),
    )


def _describe(step: Step, *, with_batch: bool = True) -> str:
    """Say where a run is, and how it goes."""
    parts = [step.stage if step.stage != 'train' else f'epoch {step.epoch}']
    if step.stage == 'train' and step.epochs:
        parts[0] += f'/{step.epochs}'
    if with_batch:
        parts.append(f'batch {step.batch}/{step.batches}')
    if step.loss is not None:
        parts.append(f'loss {step.loss:.4g}')
    if step.learning_rate is not None:
        parts.append(f'learning rate {step.learning_rate:.3g}')
    if step.seconds_left is not None:
        parts.append(f'{_duration(step.seconds_left)} left')
    return ', '.join(parts)


def _figure(value: float) -> str:
    """Write a figure; a dash for the -1 or NaN of no object."""
    return f'{value:.3f}' if value >= 0 else ABSENT


def _count(number: int, what: str) -> str:
    return f'{number:,} {what}' + ('' if number == 1 else 's')


def _names(classes: tuple[str, ...], shown: int = 10) -> str:
    rest = [f'and {len(classes) - shown} more'] if len(classes) > shown else []
    return ', '.join([*classes[:shown], *rest])


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
