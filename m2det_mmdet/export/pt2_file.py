"""Files of torch.export."""

from pathlib import Path

import torch
from torch.export import ExportedProgram

from .metadata import KEY, Metadata

SUFFIX = '.pt2'
# Name of what the file tells about itself.
EXTRA = f'{KEY}.json'


def write_pt2(program: ExportedProgram, path: Path, metadata: Metadata) -> None:
    """Write a program with what it tells about itself."""
    torch.export.save(program, path, extra_files={EXTRA: metadata.to_json()})
