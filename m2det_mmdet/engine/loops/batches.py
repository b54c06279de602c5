"""Batches of a data loader that can begin anywhere in an epoch."""

import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from mmengine.dist import get_dist_info
from torch.utils.data import DataLoader, IterableDataset

from ..randomness import IMAGE, seed_at, seeded_apart

# Arguments of a loader that are kept when its batch sampler is replaced.
_SETTINGS = (
    'num_workers',
    'collate_fn',
    'pin_memory',
    'timeout',
    'multiprocessing_context',
    'generator',
    'prefetch_factor',
    'persistent_workers',
    'in_order',
)


@dataclass(frozen=True)
class SeededBatch:
    """Indices of images; whoever reads one after the other has the seed of each.

    PyTorch's loaders do so, in the process that reads the images. The numbers that an
    image is changed by are then the same for any number of workers, and in an epoch
    that is begun in its middle.

    Attributes:
        indices: What the data set is asked for.
        seed: That of the training.
        epoch: Number of the epoch, from 0.
        first: Position of the first image in the epoch, counted over all ranks.
        step: What lies between two positions: the number of ranks.
    """

    indices: tuple[Any, ...]
    seed: int
    epoch: int
    first: int
    step: int

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[Any]:
        with seeded_apart() as seed_here:
            for place, index in enumerate(self.indices):
                position = self.first + place * self.step
                seed_here(seed_at(self.seed, IMAGE, self.epoch, position))
                yield index


class ResumableBatchSampler:
    """The batches of another batch sampler, with seeds, from any batch on.

    Args:
        batches: The batch sampler, or what else gives lists of indices.
        seed: Of the training.
    """

    def __init__(self, batches: Iterable[list[Any]], seed: int) -> None:
        self.batches = batches
        self.seed = seed
        self.epoch = 0
        self.rank, self.world_size = get_dist_info()
        self._begun: tuple[int, Iterator[list[Any]]] | None = None

    @property
    def sampler(self) -> Any:
        """What orders the images; MMEngine tells it the epoch."""
        return getattr(self.batches, 'sampler', None)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[SeededBatch]:
        images, batches = self._begun or (0, iter(self.batches))
        self._begun = None
        for batch in batches:
            indices = tuple(batch)
            first = images * self.world_size + self.rank
            yield SeededBatch(indices, self.seed, self.epoch, first, self.world_size)
            images += len(indices)

    def begin(self, epoch: int, batches: int = 0) -> int:
        """Let the next pass be that of an epoch, without its first batches.

        No image is read for these.

        Args:
            epoch: Number of the epoch, from 0.
            batches: Batches to leave out.

        Returns:
            How many were left out: less than asked for where the epoch has no more.
        """
        self.epoch, self._begun = epoch, None
        for sampler in (self.batches, self.sampler):
            if hasattr(sampler, 'set_epoch'):
                sampler.set_epoch(epoch)
        if not batches:
            return 0
        images, left_out, rest = 0, 0, iter(self.batches)
        while left_out < batches and (batch := next(rest, None)) is not None:
            images += len(batch)
            left_out += 1
        self._begun = images, rest
        return left_out


def resumable(loader: DataLoader, seed: int) -> DataLoader:
    """Return a loader of the same batches whose batch sampler is resumable.

    A loader of a stream, or of single images, is returned as it is: nobody knows where
    it stands.
    """
    if isinstance(loader.dataset, IterableDataset) or loader.batch_sampler is None:
        return loader
    kept = {name: getattr(loader, name) for name in _SETTINGS if hasattr(loader, name)}
    return DataLoader(
        loader.dataset,
        batch_sampler=ResumableBatchSampler(loader.batch_sampler, seed),
        worker_init_fn=partial(_start_worker, loader.worker_init_fn),
        **kept,
    )


def _start_worker(further: Callable[[int], None] | None, worker: int) -> None:
    """Leave Ctrl-C to the process that trains: it needs the workers to the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if further is not None:
        further(worker)
