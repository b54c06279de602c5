"""The device that a subcommand computes on."""

import argparse

import torch
from mmengine.device import get_device

from .errors import UserError


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``."""
    parser.add_argument(
        '--device', help='cpu, cuda, cuda:1, ...; the best there is by default'
    )


def find_device(name: str | None) -> torch.device:
    """Return the device ``name``, or the best there is.

    Raises:
        UserError: If it cannot be used here.
    """
    name = get_device() if name is None else name
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f'--device {name} cannot be used here ({reason}): take cpu.'
        ) from error
