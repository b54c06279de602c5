"""What the workers of a data loader let the main process know, in shared memory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.data import get_worker_info

_MOST_WORKERS = 256  # of one loader; what is beyond shares the last place
_IDLE = -1


class WorkerNotes:
    """Which image each worker is reading, and which images were skipped.

    A worker that is killed can tell nobody: what it noted before stays here.

    Args:
        num_images: Number of images of the data set.
    """

    def __init__(self, num_images: int) -> None:
        self._reading = torch.full((_MOST_WORKERS, 2), _IDLE).share_memory_()
        self._skipped = torch.zeros(num_images, dtype=torch.uint8).share_memory_()

    def __deepcopy__(self, memo: dict[int, Any]) -> 'WorkerNotes':
        """Return empty notes: a copy of the data set has workers of its own."""
        return type(self)(len(self._skipped))

    @contextmanager
    def reading(self, index: int) -> Iterator[None]:
        """Note that an image is read in the block, where a worker does it."""
        worker = get_worker_info()
        if worker is None:
            yield
            return
        place = self._reading[min(worker.id, _MOST_WORKERS - 1)]
        place[0], place[1] = os.getpid(), index
        try:
            yield
        finally:
            place[1] = _IDLE

    def read_by(self, process: int) -> int | None:
        """Return the index of the image that a worker is reading, by its number."""
        for number, index in self._reading.tolist():
            if number == process and index != _IDLE:
                return index
        return None

    def skip(self, index: int) -> None:
        """Note that an image was skipped."""
        self._skipped[index] = 1

    @property
    def skipped(self) -> list[int]:
        """The indices of all images that were skipped so far."""
        return self._skipped.nonzero().flatten().tolist()
