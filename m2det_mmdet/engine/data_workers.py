"""The data sets of a runner's loaders, and the workers that read them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.runner import Runner

from ..datasets.coco import CheckedCocoDataset
from ..utils.errors import M2DetError

# What PyTorch says of workers, by their numbers, and of the signal that ended one.
_ENDED = re.compile(r'DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\)')
_SIGNAL = re.compile(r'killed by signal: ([^.]+)\.')


def checked_datasets(dataset: Any) -> Iterator[CheckedCocoDataset]:
    """Yield the data sets with checks within a data set and its wrappers."""
    if isinstance(dataset, CheckedCocoDataset):
        yield dataset
        return
    held = [*getattr(dataset, 'datasets', ()), getattr(dataset, 'dataset', None)]
    for part in held:
        if part is not None:
            yield from checked_datasets(part)


def fit_to_workers(loader: dict[str, Any]) -> None:
    """Leave out what PyTorch takes for workers alone, where a loader has none.

    Args:
        loader: Settings of a data loader, as a config has them.
    """
    if not loader.get('num_workers'):
        if loader.get('persistent_workers'):
            loader['persistent_workers'] = False
        loader.pop('prefetch_factor', None)


@contextmanager
def worker_deaths_told(runner: Runner) -> Iterator[None]:
    """Say which images the workers of a loader were reading that ended unexpectedly.

    Raises:
        M2DetError: In the place of PyTorch's ``RuntimeError``, one sentence.
    """
    try:
        yield
    except RuntimeError as error:
        ended = _ENDED.search(str(error))
        if ended is None:
            raise
        processes = [int(number) for number in re.findall(r'\d+', ended[1])]
        raise M2DetError(_sentence(runner, processes, error)) from error


def _sentence(runner: Runner, processes: list[int], error: BaseException) -> str:
    signal = next(filter(None, map(_signal_of, (error, error.__cause__))), None)
    # The system names it after what it did, such as "Killed" for too little memory.
    how = f'was ended by the system ({signal})' if signal else 'ended unexpectedly'
    paths = [path for x in processes if (path := _read_by(runner, x)) is not None]
    if not paths:
        return (
            f'A process that reads images {how} between two images: use fewer '
            'num_workers if memory is short.'
        )
    return (
        f'A process that reads images {how} while it read {" and ".join(paths)}: '
        'remove the image if it ends each time, or use fewer num_workers if memory is '
        'short.'
    )


def _signal_of(error: BaseException | None) -> str | None:
    found = _SIGNAL.search(str(error))
    return found[1].strip() if found else None


def _read_by(runner: Runner, process: int) -> str | None:
    """Return the image that a worker was reading."""
    for dataset in datasets_of(runner):
        index = dataset.notes.read_by(process)
        if index is not None:
            return dataset.get_data_info(index)['img_path']
    return None


def datasets_of(runner: Runner) -> Iterator[CheckedCocoDataset]:
    """Yield the data sets with checks that the loops of a runner read."""
    loops = (runner._train_loop, runner._val_loop, runner._test_loop)
    for loop in loops:
        # What has not begun is a setting still.
        loader = getattr(loop, 'dataloader', None)
        yield from checked_datasets(getattr(loader, 'dataset', None))
