"""Files of ONNX, run by onnxruntime."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...ops.failures import reason_of
from ..errors import ExportError
from ..extras import needs
from ..metadata import KEY, Metadata
from ..programs import INPUT


class OnnxFile:
    """A file of ONNX in onnxruntime.

    Args:
        path: The file.
        threads: Threads of a CPU; as many as it has cores by default.
        providers: Names of onnxruntime's providers, in the order of preference; its CPU
            by default.

    Raises:
        ExportError: If it is none of ours or cannot be read, or onnxruntime is missing.
    """

    def __init__(
        self,
        path: Path,
        *,
        threads: int | None = None,
        providers: Sequence[Any] = ('CPUExecutionProvider',),
    ) -> None:
        needs('onnxruntime', extra='onnx')
        import onnxruntime

        self.path = path
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        # It would write warnings of its own to standard error.
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=list(providers)
            )
        except Exception as error:
            raise ExportError(
                f'{path} cannot be run by onnxruntime ({reason_of(error)}): it is '
                'damaged, or not of ONNX; export the detector again.'
            ) from error
        texts = self._session.get_modelmeta().custom_metadata_map
        if KEY not in texts:
            raise ExportError(
                f'{path} was not exported by m2det: it does not tell its classes and '
                'the size of its images; export a detector by `m2det export`.'
            )
        self.metadata = Metadata.from_json(texts[KEY], str(path))
        self._names = [x.name for x in self._session.get_outputs()]

    def run(self, images: np.ndarray) -> Mapping[str, np.ndarray]:
        """Run the graph; see :class:`.ExportedFile`."""
        try:
            found = self._session.run(self._names, {INPUT: images})
        except Exception as error:
            raise ExportError(
                f'{self.path} does not take images {images.shape} of {images.dtype} '
                f'({reason_of(error)}).'
            ) from error
        return dict(zip(self._names, found, strict=True))
