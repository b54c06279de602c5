"""Files of ONNX, run by onnxruntime."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...ops.failures import reason_of
from ..errors import ExportError
from ..extras import needs
from ..metadata import KEY, Metadata
from ..programs import INPUT
from .exported import check_images, metadata_in, on

CPU = 'CPUExecutionProvider'


class OnnxFile:
    """A file of ONNX in onnxruntime.

    Args:
        path: The file.
        threads: Threads of a CPU; as many as it has cores by default.
        providers: Names of onnxruntime's providers, in the order of preference, or
            pairs of a name and its options; its CPU by default.

    Raises:
        ExportError: If it is none of ours or cannot be read, onnxruntime is missing, or
            the first provider cannot be used.
    """

    def __init__(
        self,
        path: Path,
        *,
        threads: int | None = None,
        providers: Sequence[Any] = (CPU,),
    ) -> None:
        self.path = path
        self.metadata = onnx_metadata(path)
        needs('onnxruntime', extra='onnx')
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        # It would write warnings of its own to standard error.
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=list(providers)
            )
        except Exception as error:
            raise ExportError(
                f'{path} cannot be run by onnxruntime ({reason_of(error)}): it is '
                'damaged, or not of ONNX; export the detector again.'
            ) from error
        used = self._session.get_providers()[0]
        first = providers[0] if isinstance(providers[0], str) else providers[0][0]
        if used != first:
            raise ExportError(
                f'onnxruntime cannot use its provider {first} here, as where a library '
                'of it is missing: take the provider cpu.'
            )
        name = used.removesuffix('ExecutionProvider').lower()
        self.runtime = f'onnxruntime {onnxruntime.__version__}, {on(name, threads)}'
        self._names = [x.name for x in self._session.get_outputs()]

    def run(self, images: np.ndarray) -> Mapping[str, np.ndarray]:
        """Run the graph; see :class:`.ExportedFile`."""
        check_images(self, images)
        try:
            found = self._session.run(self._names, {INPUT: images})
        except Exception as error:
            raise ExportError(
                f'{self.path} fails with images {images.shape} of {images.dtype} '
                f'({reason_of(error)}).'
            ) from error
        return dict(zip(self._names, found, strict=True))


def onnx_metadata(path: Path) -> Metadata:
    """Read what a file of ONNX tells about itself; nothing is run.

    Raises:
        ExportError: If it cannot be read, is none of ours, or has weights in other
            files that are missing or outside of its folder.
    """
    needs('onnx', extra='onnx')
    import onnx

    try:
        model = onnx.load_model(path, load_external_data=False)
    except OSError:
        raise
    except Exception as error:
        raise ExportError(
            f'{path} cannot be read ({reason_of(error)}): it is damaged, or not of '
            'ONNX; export the detector again.'
        ) from error
    texts = {x.key: x.value for x in model.metadata_props}
    metadata = metadata_in(texts.get(KEY), path)
    nodes = [node for function in model.functions for node in function.node]
    for tensor in [*_tensors(model.graph), *_of_nodes(nodes)]:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            values = {x.key: x.value for x in tensor.external_data}
            _check_external(path, values.get('location', ''))
    return metadata


def _tensors(graph: Any) -> Iterator[Any]:
    """Yield all constants of a graph and of those within it."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Sequence[Any]) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for graph in (attribute.g, *attribute.graphs):
                yield from _tensors(graph)


def _check_external(path: Path, location: str) -> None:
    """Stop where weights are outside of a file's folder, or missing."""
    folder = path.resolve().parent
    place = (folder / location).resolve()
    if not place.is_relative_to(folder):
        raise ExportError(
            f'{path} has weights outside of its folder ({location!r}), which are not '
            'read: export the detector again.'
        )
    if not place.is_file():
        raise ExportError(
            f'{path} has weights in a file of its own, {location!r}, which is missing: '
            'put it beside, or export the detector again.'
        )
