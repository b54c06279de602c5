"""From the name of weights to their file."""

import os
from pathlib import Path

import torch

from ...utils.builds import did_you_mean
from ...utils.files import sha256_of
from ..download import fetch
from ..errors import CheckpointError
from .entries import EMBEDDED, ENTRIES, ZooEntry

# How a name may be written, so that no file on disk is meant.
SCHEME = 'm2det://'


def is_in_zoo(name: str) -> bool:
    """Whether a checkpoint that is no file means weights of the zoo."""
    return name in ENTRIES or name.startswith(SCHEME)


def find_entry(name: str) -> ZooEntry:
    """Return the facts on the weights of a name.

    Args:
        name: With or without ``m2det://``.

    Raises:
        CheckpointError: If there are none; offers similar names.
    """
    name = name.removeprefix(SCHEME)
    if name not in ENTRIES:
        hint = did_you_mean(name, list(ENTRIES)) or f'there are {", ".join(ENTRIES)}.'
        raise CheckpointError(f'There are no weights {name}: {hint}')
    return ENTRIES[name]


def similar_weights(name: str) -> str:
    """Return the question that offers weights of a similar name; empty without any.

    Those that have to be converted first are no answer to a name that is misspelt.
    """
    ready = [key for key, entry in ENTRIES.items() if entry.convert_from is None]
    return did_you_mean(name, ready)


def find_weights(name: str, *, progress: bool = False) -> Path:
    """Return the file of the weights of a name, downloaded if it has to be.

    Args:
        name: With or without ``m2det://``.
        progress: Whether to show a bar while it is downloaded.

    Raises:
        CheckpointError: If there are no such weights, they have to be converted first,
            cannot be downloaded, or the file is not the one that it has to be.
    """
    entry = find_entry(name)
    if entry.convert_from is not None:
        raise CheckpointError(
            f'{entry.name} has to be converted first: download the checkpoint from '
            f'{entry.convert_from}, then `m2det convert FILE {entry.config} OUT.pth` '
            'and name OUT.pth.'
        )
    file = file_of(entry)
    if entry.url is not None:
        fetch(entry.url, file, sha256=entry.sha256, progress=progress)
    _check(entry, file)
    return file


def file_of(entry: ZooEntry) -> Path:
    """Return where the file of weights is, or will be when it is downloaded."""
    if entry.url is None:
        return EMBEDDED / f'{entry.name}.safetensors'
    return Path(cache_folder(), os.path.basename(entry.url))


def cache_folder() -> Path:
    """Folder of all that is downloaded: PyTorch's (see ``TORCH_HOME``)."""
    return Path(torch.hub.get_dir(), 'checkpoints')


def _check(entry: ZooEntry, file: Path) -> None:
    advice = 'install the package again'
    if entry.url is not None:
        advice = 'delete the file to download it again'
    if not file.is_file():
        raise CheckpointError(f'{file} of {entry.name} is missing: {advice}.')
    if (found := sha256_of(file)) != entry.sha256:
        raise CheckpointError(
            f'{file} of {entry.name} was refused: its SHA-256 is {found}, not '
            f'{entry.sha256}; {advice}.'
        )
