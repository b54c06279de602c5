"""An exported file that is open, whatever runs it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from ..errors import ExportError
from ..metadata import Metadata

# Runs a graph: images in, outputs by name out.
Run = Callable[[np.ndarray], Mapping[str, np.ndarray]]
_CHANNELS = 3


class ExportedFile(Protocol):
    """An exported file that is open.

    Attributes:
        path: The file.
        metadata: What it tells about itself.
        runtime: What runs it, and where: ``onnxruntime 1.22.0, cpu, threads: 1``.
    """

    path: Path
    metadata: Metadata
    runtime: str

    def run(self, images: np.ndarray) -> Mapping[str, np.ndarray]:
        """Run the graph.

        Args:
            images: What the graph takes: ``(N, 3, H, W)``, float32, the network's
                input; or ``(N, H, W, 3)``, uint8, BGR, where it prepares the images
                itself.

        Returns:
            Its outputs by their names: ``boxes`` ``(N, K, 4)``, ``scores`` ``(N, K)``
            and ``labels`` ``(N, K)``, -1 where there is no box; or ``all_boxes``
            ``(N, A, 4)`` and ``all_scores`` ``(N, A, C)`` of a graph without
            suppression.

        Raises:
            ExportError: If the graph does not take images of this number, size or kind.
        """


def metadata_in(text: str | None, path: Path) -> Metadata:
    """Read the text of a file.

    Args:
        text: What the file has under our key; ``None`` if it has none.
        path: The file.

    Raises:
        ExportError: If it is none of ours.
    """
    if text is None:
        raise ExportError(
            f'{path} was not exported by m2det: it does not tell its classes and '
            'the size of its images; export a detector by `m2det export`.'
        )
    return Metadata.from_json(text, str(path))


def on(place: str, threads: int | None) -> str:
    """Say where a file is run, and with how many threads where that was given."""
    return place if threads is None else f'{place}, threads: {threads}'


def check_images(file: ExportedFile, images: np.ndarray) -> None:
    """Stop where a graph does not take images.

    Args:
        file: The file.
        images: As of :meth:`ExportedFile.run`.

    Raises:
        ExportError: One sentence that tells what came, and what the file takes.
    """
    metadata = file.metadata
    inside = metadata.preparation.inside
    number, *sides = images.shape if images.ndim == 4 else (0,)
    channels = (sides.pop() if inside else sides.pop(0)) if sides else 0
    fits = (
        channels == _CHANNELS
        and min(number, *sides) > 0
        and images.dtype == (np.uint8 if inside else np.float32)
        and metadata.batch in (None, number)
        and (inside or metadata.size in (None, tuple(sides)))
    )
    if not fits:
        raise ExportError(
            f'{file.path} does not take images {images.shape} of {images.dtype}: it '
            f'takes {_taken(metadata)}.'
        )


def _taken(metadata: Metadata) -> str:
    """Say what images a graph takes."""
    batch = 'N' if metadata.batch is None else str(metadata.batch)
    if metadata.preparation.inside:
        return f'({batch}, H, W, {_CHANNELS}) of uint8'
    height, width = ('H', 'W') if metadata.size is None else metadata.size
    return f'({batch}, {_CHANNELS}, {height}, {width}) of float32'
