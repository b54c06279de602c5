"""int8 for ONNX, by onnxruntime's static quantisation."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ..extras import needs
from ..programs import INPUT
from .calibration import OPERATORS, Quantized, Run, Score, checked_images, too_costly
from .network import LAYERS, Parts, cut, join

_LAYER = 'Conv'
# Images that tell which layers are sensitive, and groups of neighbours among the layers
# that are told apart, since each costs a quantisation.
_RANKING, _GROUPS = 8, 32
# A model that has it is not warned of.
_PREPARED = {'onnx.quant.pre_process': 'onnxruntime.quant'}


def onnx_to_int8(
    model: Any,
    calibration: Iterable[np.ndarray],
    *,
    score: Score | None = None,
    max_drop: float = 0.01,
) -> Quantized:
    """Let the network of a model compute in int8: weights and maps.

    Ranges of the maps are the largest of the calibration; weights have one for each
    channel. Preparation, decoding and suppression are left alone. Where the score drops
    by more than it may, layers stay float32: the 1, 2, 4 and so on that change the maps
    of the head most, of a large network groups of neighbours. Neither their weights nor
    what lies between two of them is rounded; what they share with layers in int8 is.

    Args:
        model: An ``onnx.ModelProto``; it is left as it is.
        calibration: Some 100 inputs of the model, each of one image.
        score: Tells how good a model is.
        max_drop: What the score may drop by.

    Raises:
        ExportError: If there is no image, a package is missing, or the score drops more
            however many layers are kept.
    """
    needs('onnx', 'onnxruntime', extra='onnx')
    images = checked_images(calibration, max_drop)
    parts = cut(model)
    with TemporaryDirectory() as folder:
        search = _Search(parts, images, Path(folder))
        if score is None:
            return Quantized(join(search.quantized(), parts.rest), (), None, None)
        return search.run(score, score(run_onnx(model)), max_drop)


def run_onnx(model: Any) -> Run:
    """Return what runs a model on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=['CPUExecutionProvider']
    )
    names = [x.name for x in session.get_outputs()]
    return lambda images: dict(
        zip(names, session.run(names, {INPUT: images}), strict=True)
    )


class _Search:
    """Looks for the fewest layers that have to stay float32.

    Args:
        parts: The model.
        images: To calibrate with.
        folder: For files that are no longer needed afterwards.
    """

    def __init__(
        self, parts: Parts, images: Sequence[np.ndarray], folder: Path
    ) -> None:
        self._parts = parts
        self._images = images
        self._folder = folder
        self._inner = set(parts.inner)
        self._layers = [x.name for x in parts.network.graph.node if x.op_type == _LAYER]

    def run(self, score: Score, before: float, max_drop: float) -> Quantized:
        """Keep layers until the score holds; see :func:`onnx_to_int8`."""
        groups: list[list[str]] = []
        total = len(self._layers)
        count, best, kept = 0, -np.inf, ()
        while len(kept) < total:
            model = join(self.quantized(kept), self._parts.rest)
            after = score(run_onnx(model))
            if after >= before - max_drop:
                return Quantized(model, kept, before, after)
            best = max(best, after)
            groups = groups or self._ranked()
            count = count * 2 or 1
            chosen = {x for group in groups[:count] for x in group}
            kept = tuple(x for x in self._layers if x in chosen)
        raise too_costly(before, best, total)

    def quantized(self, kept: Sequence[str] = ()) -> Any:
        """Return the network in int8, but for some layers."""
        from onnx import ModelProto, helper, load
        from onnxruntime import quantization as tools

        network = ModelProto()
        network.CopyFrom(self._parts.network)
        helper.set_model_props(network, _PREPARED)
        target = self._folder / 'network.onnx'
        tools.quantize_static(
            network,
            target,
            _reader(tools.CalibrationDataReader, self._images),
            op_types_to_quantize=[*OPERATORS],
            per_channel=True,
            activation_type=tools.QuantType.QUInt8,
            weight_type=tools.QuantType.QInt8,
            # Without VNNI a processor adds products in 16 bits, which overflow.
            reduce_range=True,
            nodes_to_quantize=self._quantizable(kept),
            calibration_cache_path=self._folder / 'ranges.json',
        )
        return load(target)

    def _quantizable(self, kept: Iterable[str]) -> list[str]:
        """Leave out some layers, and what lies between them and others."""
        inner = {*self._parts.inner}
        nodes = [x for x in self._parts.network.graph.node if x.name in inner]
        floating = {*kept}
        values = {y for x in nodes if x.name in floating for y in x.output}
        for node in nodes:
            if node.op_type not in LAYERS and not values.isdisjoint(node.input):
                floating.add(node.name)
                values.update(node.output)
        layers = {y for x in nodes if x.op_type in LAYERS for y in x.output}
        values = {y for x in nodes if x.name in {*kept} for y in x.input}
        for node in reversed(nodes):
            # onnxruntime makes one of a layer and the Relu behind it.
            fused = node.op_type == 'Relu' and node.input[0] in layers
            is_layer = node.op_type in LAYERS or fused
            if not is_layer and not values.isdisjoint(node.output):
                floating.add(node.name)
                values.update(node.input)
        return [x.name for x in nodes if x.name not in floating]

    def _ranked(self) -> list[list[str]]:
        """Return the layers in groups, the one first that is best left float32."""
        images = self._images[:_RANKING]
        expected = [*_maps(run_onnx(self._parts.network), images)]
        size = -(-len(self._layers) // _GROUPS)
        starts = range(0, len(self._layers), size)
        groups = [self._layers[i : i + size] for i in starts]
        errors = []
        for group in groups:
            found = _maps(run_onnx(self.quantized(group)), images)
            errors.append(sum(map(_error, found, expected)))
        order = sorted(range(len(groups)), key=errors.__getitem__)
        return [groups[i] for i in order]


def _maps(run: Run, images: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
    for image in images:
        yield [*run(image).values()]


def _error(found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """Sum the squared differences of maps, each as a part of its squares."""
    return sum(
        float(np.square(x - y).sum() / max(float(np.square(y).sum()), 1e-12))
        for x, y in zip(found, expected, strict=True)
    )


def _reader(base: type, images: Iterable[np.ndarray]) -> Any:
    """Return what onnxruntime reads images with."""

    class Reader(base):
        def __init__(self) -> None:
            self._images = iter(images)

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self._images, None)
            return None if image is None else {INPUT: image}

    return Reader()
