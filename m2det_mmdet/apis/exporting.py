"""A detector as one file, which is compared with the detector before it is kept."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
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
from ..export.decoding import decoder_of
from ..export.formats import FORMATS
from ..export.graph import DetectionGraph
from ..export.metadata import Metadata
from ..export.plan import DYNAMIC, Plan, Size, plan_graph
from ..export.precision.calibration import Run, check_max_drop
from ..export.precision.int8_onnx import run_onnx
from ..export.precision.int8_openvino import run_openvino
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
from .exported_scores import ScoreOnData
from .image_loading import take_reader
from .inferencer import build_inferencer
from .model_source import ModelSource, find_model

PRECISIONS = ('fp32', 'fp16', 'int8')
# Images of ``data`` that a file is compared on.
_REAL = 8
# Images at a time, and a size beside the config's, that it is compared with.
_BATCHES = (1, 2, 5)
_GROWTH = (64, -32)  # pixels of the height and of the width


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
    precision: str = 'fp32',
    max_drop: float = 0.01,
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
    check_one_of('precision', precision, PRECISIONS)
    check_max_drop(max_drop)
    source = find_model(model, checkpoint, options)
    path, form = _place(out, form, source)
    files = [path.with_suffix(suffix) for suffix in FORMATS[form].suffixes]
    for file in files:
        check_output(file, force=force)
    cfg = deepcopy(source.cfg)
    read = take_reader(cfg)
    inferencer = build_inferencer(cfg, source.checkpoint, 'cpu')
    detector = inferencer.model
    # Before all that takes long, of a detector that has no graph.
    decoder_of(detector)
    plan = plan_graph(cfg, detector, nms=nms, batch=batch, size=size, inside=preprocess)
    with_script = form == 'onnx' and plan.suppression is not None
    if with_script:
        check_standalone(path.parent, force=force)
    images = [] if data is None else [*_real_images(inferencer, plan, data, read)]
    metadata = _metadata(source, detector, plan, precision)
    with TemporaryDirectory() as folder:
        graph = _graph(accelerate(deepcopy(detector), channels_last=False), plan)
        change = _Change(precision, data, max_drop, Path(folder))
        if precision != 'fp32':
            change.prepare(graph, plan, metadata, form, opset)
        models = FORMATS[form].translate(graph, plan, opset, change.function)
        whole, final = Path(folder, f'whole{path.suffix}'), Path(folder, path.name)
        for model, file in ((models.whole, whole), (models.final, final)):
            FORMATS[form].write(model, file, metadata)
        compared = verify(
            _graph(detector, plan),
            open_exported(whole).run,
            open_exported(final).run,
            _examples(plan, images),
            # What the precision changes is judged by the AP.
            tolerance=TOLERANCE if precision == 'fp32' else math.inf,
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


class _Change:
    """Changes the precision of a model, and keeps what that has cost.

    Attributes:
        function: What :class:`.Format` takes; ``None`` for float32.
        ap: As of :class:`ExportResult`.
        kept: Likewise.
    """

    def __init__(
        self, precision: str, data: str | Path | None, max_drop: float, folder: Path
    ) -> None:
        self._precision, self._data, self._max_drop = precision, data, max_drop
        self._folder = folder
        self.function: Callable[[Any], Any] | None = None
        self.ap: tuple[float, float] | None = None
        self.kept: tuple[str, ...] = ()

    def prepare(
        self,
        graph: DetectionGraph,
        plan: Plan,
        metadata: Metadata,
        form: str,
        opset: int,
    ) -> None:
        """Measure the model in float32, and make the function that changes it.

        Raises:
            M2DetError: If the format has no such precision, or the data are not those
                that it needs.
        """
        self._format = FORMATS[form]
        if self._format.to_int8 is None:
            raise M2DetError(
                f'{form} files are of precision fp32: take the format onnx or openvino.'
            )
        self.function = self._to_fp16 if self._precision == 'fp16' else self._to_int8
        if self._data is None:
            if self._precision == 'int8':
                raise M2DetError(
                    'int8 needs images like those that the detector is for: give a '
                    'folder with annotations as data.'
                )
            return
        # Any float32 file of the detector tells what the data are for.
        models = FORMATS['onnx'].translate(graph, plan, opset, None)
        file = self._folder / 'fp32.onnx'
        FORMATS['onnx'].write(models.final, file, metadata)
        self._score = ScoreOnData(file, metadata, self._data, self._folder / 'data')

    def _to_fp16(self, model: Any) -> Any:
        changed = self._format.to_fp16(model)
        if self._data is not None:
            before = self._score(run_onnx(model))
            after = self._score(self._runner()(changed))
            self.ap = before, after
            if not before - after <= self._max_drop:
                raise M2DetError(
                    f'fp16 takes the AP from {before:.4f} to {after:.4f}: take fp32, '
                    'or a larger max_drop.'
                )
        return changed

    def _to_int8(self, model: Any) -> Any:
        found = self._format.to_int8(
            model,
            self._score.calibration(),
            score=self._score,
            max_drop=self._max_drop,
        )
        self.ap, self.kept = (found.before, found.after), found.kept
        return found.model

    def _runner(self) -> Callable[[Any], Run]:
        return run_onnx if self._format is FORMATS['onnx'] else run_openvino


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
    if form is not None and form not in FORMATS:
        raise M2DetError(f'format must be one of {", ".join(FORMATS)}, got {form!r}.')
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


def _examples(plan: Plan, real: Sequence[Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield images to compare a file on, with words for them."""
    batches = _BATCHES if plan.batch is None else (plan.batch,)
    height, width = plan.example
    sizes = [(height, width)]
    if plan.size is None or plan.preparation.inside:
        grow, shrink = _GROWTH
        sizes.append((height + grow, max(width + shrink, 1)))
    for size in sizes:
        for batch in batches:
            yield 'random images', _random(plan, batch, size)
        yield 'a blank image', _random(plan, batches[0], size) * 0
    for image in real:
        yield 'a real image', image.expand(batches[0], *image.shape[1:]).contiguous()


def _random(plan: Plan, batch: int, size: Size) -> Tensor:
    generator = torch.Generator().manual_seed(batch)
    if plan.preparation.inside:
        shape = (batch, *size, 3)
        return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    return torch.randn(batch, 3, *size, generator=generator)


def _real_images(
    inferencer: DetInferencer, plan: Plan, data: str | Path, read: ImageReader
) -> Iterator[Tensor]:
    """Yield images as the graph takes them, ``(1, ...)`` each.

    Raises:
        M2DetError: If there is none that can be read.
    """
    paths = find_images([str(data)])
    step = max(1, len(paths) // _REAL)
    reader = lambda path, **kwargs: read_upright(path, read=read, **kwargs)  # noqa: E731
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
