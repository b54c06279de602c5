"""int8 for OpenVINO, by NNCF."""

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import lru_cache
from typing import Any
from unittest import mock

import numpy as np

from ..extras import needs
from ..openvino_file import compile_openvino, to_openvino
from ..signal_stack import kept_signal_stack
from .calibration import OPERATORS, Quantized, Run, Score, checked_images, too_costly
from .network import Parts, cut
from .openvino_parts import join_openvino

# Images that tell which layers are sensitive.
_RANKING = 8
# What OpenVINO adds to the name of a convolution.
_NO_BIAS = '/WithoutBiases'


def openvino_to_int8(
    model: Any,
    calibration: Iterable[np.ndarray],
    *,
    score: Score | None = None,
    max_drop: float = 0.01,
) -> Quantized:
    """Translate a model to ``openvino.Model``, the network in int8.

    As :func:`.onnx_to_int8`; which layers stay float32 is found by NNCF, which takes
    them back one by one. What ``score`` prints is lost.

    Args:
        model: An ``onnx.ModelProto``.
        calibration: Some 100 inputs of the model, each of one image.
        score: Tells how good a model is.
        max_drop: What the score may drop by.

    Raises:
        ExportError: If there is no image, a package is missing, OpenVINO does not take
            the model, or the score drops more however many layers are kept.
    """
    needs('onnx', 'openvino', 'nncf', extra='openvino')
    images = checked_images(calibration, max_drop)
    parts = cut(model)
    network, rest = to_openvino(parts.network), to_openvino(parts.rest)
    with _quiet() as nncf:
        options = _options(nncf, parts, len(images))
        data = nncf.Dataset(images)
        if score is None:
            found = nncf.quantize(network, data, **options)
            return Quantized(join_openvino(found, rest), (), None, None)
        validation = _Validation(rest, score)
        found = nncf.quantize_with_accuracy_control(
            network,
            data,
            nncf.Dataset(images[:_RANKING]),
            validation,
            max_drop=max_drop,
            **options,
        )
    layers, kept = _layers(found)
    whole = join_openvino(found, rest)
    before, after = validation.scores[0], score(run_openvino(whole))
    if not after >= before - max_drop or len(kept) == len(layers):
        raise too_costly(before, after, len(layers))
    return Quantized(whole, kept, before, after)


def run_openvino(model: Any) -> Run:
    """Return what runs a model on the CPU."""
    compiled = compile_openvino(model)
    return lambda images: _by_name(compiled, [images])


class _Validation:
    """Tells NNCF how good a network is, and what it gives.

    Args:
        rest: What follows the network.
        score: Tells how good a model is.

    Attributes:
        scores: Those that were told; the first one is of the network in float32.
    """

    def __init__(self, rest: Any, score: Score) -> None:
        self._rest = compile_openvino(rest)
        self._score = score
        self.scores: list[float] = []
        # NNCF asks twice for the first one.
        self._score_of = lru_cache(maxsize=1)(self._scored)

    def __call__(
        self, network: Any, images: Iterable[np.ndarray]
    ) -> tuple[float, list[list[np.ndarray]]]:
        """Return the score, and for each image the outputs of the network."""
        found = [[*_by_name(network, image).values()] for image in images]
        return self._score_of(network), found

    def _scored(self, network: Any) -> float:
        self.scores.append(self._score(lambda images: self._detect(network, images)))
        return self.scores[-1]

    def _detect(self, network: Any, images: np.ndarray) -> Mapping[str, np.ndarray]:
        names = {x.get_any_name() for x in self._rest.inputs}
        values = {x.get_any_name(): images for x in network.inputs}
        values |= _by_name(network, images)
        return _by_name(self._rest, {x: values[x] for x in names})


def _by_name(compiled: Any, inputs: Any) -> dict[str, np.ndarray]:
    return {x.get_any_name(): y for x, y in compiled(inputs).items()}


def _options(nncf: Any, parts: Parts, count: int) -> dict[str, Any]:
    """Return what NNCF is to quantise: what onnxruntime would."""
    inner = set(parts.inner)
    others = [
        x.name
        for x in parts.network.graph.node
        if x.name not in inner or x.op_type not in OPERATORS
    ]
    return {
        'preset': nncf.QuantizationPreset.MIXED,
        'subset_size': count,
        'ignored_scope': nncf.IgnoredScope(names=others, validate=False),
    }


def _layers(network: Any) -> tuple[list[str], tuple[str, ...]]:
    """Return the names of all convolutions, and of those with float weights."""
    layers, kept = [], []
    for operation in network.get_ordered_ops():
        if 'Convolution' not in operation.get_type_name():
            continue
        layers.append(operation.get_friendly_name().removesuffix(_NO_BIAS))
        if not _is_quantized(operation.input_value(1).get_node()):
            kept.append(layers[-1])
    return layers, tuple(kept)


def _is_quantized(weights: Any) -> bool:
    """Whether weights come from int8, or through a step that rounds them to it."""
    if weights.get_type_name() == 'FakeQuantize':
        return True
    if weights.get_type_name() == 'Constant':
        return weights.get_element_type().is_integral()
    return _is_quantized(weights.input_value(0).get_node())


@contextmanager
def _quiet() -> Iterator[Any]:
    """Import NNCF; it writes nothing, and sends nobody what it is used for."""
    environment = mock.patch.dict(os.environ, NNCF_CI='1')
    # It compiles networks itself.
    with redirect_stdout(io.StringIO()), environment, kept_signal_stack():
        import nncf

        yield nncf
