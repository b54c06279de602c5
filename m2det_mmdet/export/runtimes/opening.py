"""Which runtime opens a file."""

from pathlib import Path

from .exported import ExportedFile
from .onnx import OnnxFile


def open_exported(path: Path) -> ExportedFile:
    """Open an exported file."""
    return OnnxFile(path)
