"""An exported file that is open, whatever runs it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from ..metadata import Metadata


class ExportedFile(Protocol):
    """An exported file that is open.

    Attributes:
        path: The file.
        metadata: What it tells about itself.
    """

    path: Path
    metadata: Metadata

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
