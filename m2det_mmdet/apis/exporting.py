"""A detector as one file, which is compared with the detector before it is kept."""

import math
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from mmdet.apis import DetInferencer
from mmdet.models.detectors import SingleStageDetector
from mmengine.config import Config
from torch import Tensor

from ..analysis.machine import versions
from ..export import onnx_file
from ..export.examples import examples_to_compare
from ..export.formats import FORMATS
from ..export.graph import DetectionGraph
from ..export.metadata import Metadata
from ..export.plan import DYNAMIC, Plan, Size, plan_graph
from ..export.preparing import Prepare
from ..export.runtimes.opening import open_exported, read_metadata
from ..export.standalone import check_standalone, write_standalone
from ..export.verification import TOLERANCE, Compared, verify
from ..models.acceleration import accelerate
from ..utils.errors import M2DetError, our_errors
from ..utils.files import check_output, write_whole
from ..utils.image_search import find_images
from ..utils.images import ImageReader, image_problem, read_images
from ..utils.logs import quiet_log
from ..utils.upright import read_upright
from .checks import check_one_of
from .image_loading import take_reader
from .inferencer import build_inferencer
from .model_source import ModelSource, find_model
from .precision_change import FP32, PrecisionChange

# Images of ``data`` that a file is compared on.
_REAL = 8


class ExportResult(NamedTuple):
    """An exported file.

    Attributes:
        path: The file that others open.
        files: All files that belong to it; the last one of ONNX with suppression is
            a script that runs it without PyTorch.
        metadata: What it tells about itself.
        compared: What it gave beside the detector.
        remarks: What a user should know, a sentence each.
        ap: The box AP on ``data`` before and after a change of precision, 0..1.
        kept: Layers that stay float32 in int8.
    """

    path: Path
    files: tuple[Path, ...]
    metadata: Metadata
    compared: tuple[Compared, ...]
    remarks: tuple[str, ...]
    ap: tuple[float, float] | None = None
    kept: tuple[str, ...] = ()


@our_errors()
def export(
    model: str | Path | Config,
    checkpoint: str | Path | None = None,
    out: str | Path | None = None,
    *,
    form: str | None = None,
    nms: str | None = None,
    batch: int | str = DYNAMIC,
    size: Size | str | None = None,
    precision: str = FP32,
    max_drop: float = 0.01,
    tolerance: float = TOLERANCE,
    opset: int = onnx_file.OPSET,
    preprocess: bool = False,
    data: str | Path | None = None,
    force: bool = False,
    options: Mapping[str, Any] | None = None,
) -> ExportResult:
    """Write a detector as one file that runs without MMDetection.

    The network, the decoding of its boxes and their suppression are in the file. It is
    run beside the detector, on random and on real images, and gets its name only if it
    gives the same.

    Args:
        model: A run folder, a name of the zoo, a checkpoint; or a config, with
            ``checkpoint``.
        checkpoint: Path, URL or name of the zoo, where ``model`` is a config.
        out: The file; by default the detector's name, in the current folder.
        form: ``onnx``, ``openvino`` or ``pt2`` (torch.export's); by default what
            ``out`` ends in, else ``onnx``.
        nms: ``soft``, ``hard`` or ``none``; as in the config by default.
        batch: Images at a time, or ``'dynamic'``.
        size: Pixels ``(height, width)`` of the network's input, or ``'dynamic'``; by
            default that of the config.
        precision: ``fp32``; ``fp16`` or ``int8``: the network's, where decoding and
            suppression stay float32.
        max_drop: What the box AP on ``data`` may lose by the precision, 0..1.
        tolerance: What the boxes and scores of all anchors may differ by from those of
            the detector, as a fraction of the largest; above 0. With another precision
            the AP decides instead.
        opset: Version of ONNX's operators.
        preprocess: Whether the file takes images as OpenCV reads them, of any size, and
            gives boxes in their pixels.
        data: Images to compare on, too: a folder, a file or a pattern. With another
            precision a folder with annotations: its training images calibrate int8, its
            validation images tell the AP.
        force: Whether to replace ``out``.
        options: Settings of the config to override, by their dotted keys.

    Raises:
        M2DetError: One sentence on what is wrong with an argument, why the detector has
            no such file, or how the file differs from the detector. Nothing is then
            left of it.
    """
    quiet_log()
    if not 0 < tolerance < math.inf:
        raise M2DetError(
            f'tolerance must be a number above 0, such as {TOLERANCE}, got {tolerance}.'
        )
    source = find_model(model, checkpoint, options)
    path, form = _place(out, form, source)
    change = PrecisionChange(precision, form, data, max_drop)
    files = [path.with_suffix(suffix) for suffix in FORMATS[form].suffixes]
    for file in files:
        check_output(file, force=force)
    cfg = deepcopy(source.cfg)
    read = take_reader(cfg)
    inferencer = build_inferencer(cfg, source.checkpoint, 'cpu')
    detector = inferencer.model
    plan = plan_graph(cfg, detector, nms=nms, batch=batch, size=size, inside=preprocess)
    with_script = form == 'onnx' and plan.suppression is not None
    if with_script:
        check_standalone(path.parent, force=force)
    images = [] if data is None else [*_real_images(inferencer, plan, data, read)]
    metadata = _metadata(source, detector, plan, precision)
    with TemporaryDirectory() as folder:
        graph = _graph(accelerate(deepcopy(detector), channels_last=False), plan)
        change.read_data(graph, plan, metadata, Path(folder))
        function = change.apply if change.changes else None
        models = FORMATS[form].translate(graph, plan, opset=opset, change=function)
        whole, final = Path(folder, f'whole{path.suffix}'), Path(folder, path.name)
        for model, file in ((models.whole, whole), (models.final, final)):
            FORMATS[form].write(model, file, metadata)
        compared = verify(
            _graph(detector, plan),
            open_exported(whole).run,
            open_exported(final).run,
            examples_to_compare(plan, images),
            # What the precision changes is judged by the AP.
            tolerance=math.inf if change.changes else tolerance,
        )
        # That which names the others comes last.
        for file in reversed(files):
            content = final.with_suffix(file.suffix).read_bytes()
            write_whole(file, lambda out, content=content: out.write(content))
    if with_script:
        files.append(write_standalone(path.parent))
    return ExportResult(
        path,
        tuple(files),
        metadata,
        tuple(compared),
        tuple(_remarks(plan)),
        change.ap,
        change.kept,
    )


@our_errors()
def inspect_file(path: str | Path) -> Metadata:
    """Return what an exported file tells about itself.

    Raises:
        M2DetError: If it is none of ours, or cannot be read.
    """
    return read_metadata(path)


def _place(
    out: str | Path | None, form: str | None, source: ModelSource
) -> tuple[Path, str]:
    """Return where to write, and in which format.

    Raises:
        M2DetError: If there is no such format, or the name does not go with it.
    """
    check_one_of('format', form, tuple(FORMATS))
    if out is None:
        form = form or 'onnx'
        return Path(f'{source.name}{FORMATS[form].suffixes[0]}'), form
    suffixes = {x.suffixes[0]: name for name, x in FORMATS.items()}
    path = Path(out).expanduser()
    named = suffixes.get(path.suffix)
    if named is None or form not in (None, named):
        wanted = FORMATS[form].suffixes[0] if form else ', '.join(suffixes)
        raise M2DetError(f'{out} must end in {wanted}.')
    return path, named


def _metadata(
    source: ModelSource, model: SingleStageDetector, plan: Plan, precision: str
) -> Metadata:
    text, how = source.cfg.pretty_text, plan.suppression
    settings = None
    if how is not None:
        settings = {**how._asdict(), **how.options}
        del settings['options']
    return Metadata(
        name=source.name,
        classes=tuple(model.dataset_meta['classes']),
        size=plan.size,
        batch=plan.batch,
        preparation=plan.preparation,
        suppression=settings,
        precision=precision,
        config=text,
        config_sha256=sha256(text.encode()).hexdigest(),
        versions=versions(),
    )


def _graph(model: SingleStageDetector, plan: Plan) -> DetectionGraph:
    prepare = None
    if plan.preparation.inside:
        prepare = Prepare(plan.size, plan.preparation)
    graph = DetectionGraph(model, plan.suppression, prepare, everything=True)
    return graph.eval()


def _real_images(
    inferencer: DetInferencer, plan: Plan, data: str | Path, read: ImageReader
) -> Iterator[Tensor]:
    """Yield images as the graph takes them, ``(1, ...)`` each.

    Raises:
        M2DetError: If there is none that can be read.
    """
    paths = find_images([str(data)])
    step = max(1, len(paths) // _REAL)
    reader = partial(read_upright, read=read)
    for path, image in read_images(paths[::step][:_REAL], reader):
        if image is None:
            raise M2DetError(f'{path} {image_problem(path)}: give other data.')
        if plan.preparation.inside:
            yield torch.from_numpy(np.ascontiguousarray(image))[None]
        else:
            yield _network_input(inferencer, plan, image)


def _network_input(inferencer: DetInferencer, plan: Plan, image: np.ndarray) -> Tensor:
    """Prepare an image as the detector does, in the size of the graph."""
    loaded = inferencer.pipeline(image)
    batch = {'inputs': [loaded['inputs']], 'data_samples': [loaded['data_samples']]}
    found = inferencer.model.data_preprocessor(batch, False)['inputs']
    if plan.size is not None and tuple(found.shape[-2:]) != plan.size:
        found = torch.nn.functional.interpolate(found, plan.size, mode='bilinear')
    return found


def _remarks(plan: Plan) -> Iterator[str]:
    """Yield what differs from the detector in the framework."""
    if plan.preparation.inside:
        yield (
            'The file resizes images without rounding them to bytes, as OpenCV does: '
            'scores differ a little from those of m2det predict on the detector.'
        )
    how = plan.suppression
    if how is not None and how.options.get('offset') and not plan.preparation.inside:
        yield (
            'The suppression counts the last pixel of a box (offset=1) in pixels of '
            "the network's input, m2det predict in those of the image: overlaps near "
            'the threshold may differ.'
        )
    if plan.preparation.keep_ratio:
        yield (
            'Images keep their ratio of sides: boxes are clipped to the padded input, '
            'm2det predict clips them to the image before the suppression.'
        )
