"""Lets a runner compute on another device than the best there is."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.device import utils as host


@contextmanager
def training_on(device: torch.device | None) -> Iterator[None]:
    """Let MMEngine's runners compute on ``device`` while the context lasts.

    They ask MMEngine for the best device, which takes no other answer.

    Args:
        device: A device that can be used here; ``None`` for the best there is.
    """
    if device is None:
        yield
        return
    before = host.DEVICE
    host.DEVICE = device.type
    try:
        if device.type == 'cuda':
            with torch.cuda.device(device):
                yield
        else:
            yield
    finally:
        host.DEVICE = before
