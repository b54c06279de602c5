"""Random numbers that follow from a seed and a place in the training.

The stream of a training cannot be taken up again in its middle: workers read ahead, and
a validation draws numbers, too. So there is no stream. Each image and each iteration
has a seed of its own, computed from the seed of the training and from where it stands,
and a resumed training has the numbers of one that was never interrupted.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

# What a seed is for: the same place gives other numbers for each use.
IMAGE, ITERATION = 0, 1


def seed_at(seed: int, use: int, *place: int) -> int:
    """Return a seed of 64 bits for a place.

    Args:
        seed: That of the training.
        use: :data:`IMAGE` or :data:`ITERATION`.
        place: Counts from 0, as an epoch and the position in it.
    """
    # Neighbouring places give seeds that have nothing in common.
    words = np.random.SeedSequence([seed, use, *place]).generate_state(1, np.uint64)
    return int(words[0])


def seed_all(seed: int) -> None:
    """Seed Python, NumPy and PyTorch on all devices."""
    _seed_host(seed)
    torch.manual_seed(seed)


@contextmanager
def seeded_apart() -> Iterator:
    """Let the host draw numbers for images, and go on with its own afterwards.

    Yields:
        A function that seeds Python, NumPy and PyTorch on the CPU.
    """
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()

    def seed_here(seed: int) -> None:
        _seed_host(seed)
        # Not torch.manual_seed: it would seed the GPU's numbers, too.
        torch.default_generator.manual_seed(seed)

    try:
        yield seed_here
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


def _seed_host(seed: int) -> None:
    random.seed(seed)
    # NumPy's old generator takes words of 32 bits.
    np.random.seed([seed & 0xFFFFFFFF, seed >> 32])
