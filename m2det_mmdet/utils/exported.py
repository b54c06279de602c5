"""Files that ``m2det export`` writes, told by their names."""

import os
from pathlib import Path

# Of ONNX, OpenVINO and torch.export.
EXPORTED = ('.onnx', '.xml', '.pt2')


def is_exported(name: str | Path) -> bool:
    """Whether a name means an exported detector: by its suffix, but for folders."""
    path = Path(os.path.expanduser(name))
    return path.suffix.lower() in EXPORTED and not path.is_dir()
