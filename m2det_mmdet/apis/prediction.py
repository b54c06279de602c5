"""Detect objects in images."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmdet.apis import DetInferencer
from mmengine.config import Config

from ..checkpoints.sources import check_checkpoint
from ..datasets.coco import load_annotations
from ..evaluation.coco_records import CocoIds
from ..utils.configs import load_config
from ..utils.devices import find_device
from ..utils.errors import M2DetError, our_errors
from ..utils.image_search import find_images
from ..utils.logs import prints_to, quiet_log
from .checks import (
    acceleration_options,
    check_at_least,
    check_fraction,
    check_test_pipeline,
    make_faster,
)
from .detection import Detected, detect
from .image_loading import take_reader
from .inferencer import build_inferencer
from .prediction_folder import PICTURES, PredictionFolder
from .predictions import Prediction, to_prediction


@dataclass(frozen=True)
class PredictionResult:
    """What was found in all images.

    Attributes:
        predictions: One an image, in the order of the inputs.
        skipped: Images without a prediction: they could not be read, or the detector
            failed with them.
        results: The JSON that was written; ``None`` without an output folder.
        pictures: The folder of pictures that were drawn; likewise.
        problems: A sentence for each image that was skipped or has no picture.
    """

    predictions: list[Prediction]
    skipped: list[Path]
    results: Path | None
    pictures: Path | None
    problems: dict[Path, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageDone:
    """An image is done, or was skipped.

    Attributes:
        path: The image.
        done: Images so far, this one included.
        total: How many there are.
        skipped: Whether it has no prediction.
        problem: Why it was skipped or has no picture, in a sentence.
    """

    path: Path
    done: int
    total: int
    skipped: bool
    problem: str | None = None


@our_errors()
def predict(
    config: str | Path | Config,
    checkpoint: str | Path,
    inputs: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    score_thr: float = 0.3,
    ann_file: str | Path | None = None,
    device: str | None = None,
    batch_size: int = 1,
    fast: bool = False,
    compile: bool = False,
    autocast: str | None = None,
    force: bool = False,
    options: Mapping[str, Any] | None = None,
    on_event: Callable[[ImageDone], None] | None = None,
) -> PredictionResult:
    """Detect objects in images, and write boxes and pictures where asked to.

    The names of the classes are those of the checkpoint, else those of the config's
    test data. Results are on disk as soon as their image is done, in
    ``results.partial.jsonl``, which becomes ``results.json`` at the end, also by an
    error or Ctrl-C. An image that cannot be read, detected in or drawn costs itself
    alone.

    Args:
        config: Path or name of a config, or the config.
        checkpoint: Path, URL or name of the zoo; it has to hold all weights of the
            model.
        inputs: Images, folders (with the folders in them) and glob patterns; or one of
            them.
        out: Folder for ``results.json``, in COCO's results format, and ``pictures``.
        score_thr: Lowest score that is drawn.
        ann_file: COCO annotations that give the ids of images and categories. An image
            is the one whose ``file_name`` is the end of its path. Without them images
            are numbered from 1, and categories have COCO's ids if the classes are
            COCO's 80, else 1, 2, ... in the order of the classes.
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``, ...; the best there is by default.
        batch_size: Images at a time.
        fast: Whether to fold batch norms and store weights channels last.
        compile: Whether to compile the network.
        autocast: ``'bfloat16'`` or ``'float16'`` inside the network.
        force: Whether results and pictures that are in ``out`` may be replaced.
        options: Settings of the config to override, by their dotted keys.
        on_event: Gets an :class:`ImageDone` after each image.

    Raises:
        M2DetError: One sentence on what is wrong with an argument or a file; or if the
            detector fails with each of the images.
    """
    quiet_log()
    check_checkpoint(str(checkpoint))
    check_at_least('batch_size', batch_size, 1)
    check_fraction('score_thr', score_thr)
    if device is not None:
        find_device(device)
    acceleration = acceleration_options(fast=fast, compile=compile, autocast=autocast)
    if isinstance(inputs, str | Path):
        inputs = [inputs]
    pictures = None if out is None else Path(out, PICTURES)
    paths = find_images([str(name) for name in inputs], exclude=pictures)
    folder = None if out is None else PredictionFolder(Path(out), paths, score_thr)
    if folder is not None:
        folder.check(force=force)
    cfg = load_config(config, options)
    check_test_pipeline(cfg)
    read = take_reader(cfg)
    detector = build_inferencer(cfg, checkpoint, device)
    if acceleration:
        make_faster(detector.model, acceleration)
    ids = _coco_ids(detector.model.dataset_meta['classes'], ann_file)
    image_ids = _image_ids(paths, ids, ann_file)
    with nullcontext() if folder is None else folder.results:
        detected = detect(detector, paths, batch_size, read=read)
        return _collect(detected, detector, image_ids, ids, folder, on_event)


def _collect(
    detected: Iterable[Detected],
    detector: DetInferencer,
    image_ids: Mapping[Path, int],
    ids: CocoIds,
    folder: PredictionFolder | None,
    on_event: Callable[[ImageDone], None] | None,
) -> PredictionResult:
    """Keep, write and report what was found in each image, as soon as it is known."""
    classes = detector.model.dataset_meta['classes']
    predictions: list[Prediction] = []
    skipped: list[Path] = []
    problems: dict[Path, str] = {}
    for done, image in enumerate(detected, start=1):
        path, problem = image.path, image.problem
        if image.sample is None:
            skipped.append(path)
        else:
            predictions.append(to_prediction(image, image_ids[path], classes))
            if folder is not None:
                problem = folder.write(image, image_ids[path], ids, detector.visualizer)
        if problem is not None:
            problems[path] = problem
        if on_event is not None:
            is_skipped = image.sample is None
            on_event(ImageDone(path, done, len(image_ids), is_skipped, problem))
    return PredictionResult(
        predictions,
        skipped,
        results=None if folder is None else folder.results.path,
        pictures=None if folder is None else folder.pictures,
        problems=problems,
    )


def _coco_ids(classes: Sequence[str], ann_file: str | Path | None) -> CocoIds:
    if ann_file is None:
        return CocoIds(classes)
    with _of_annotations(ann_file), prints_to(quiet_log()):
        return CocoIds(classes, load_annotations(ann_file))


def _image_ids(
    paths: list[Path], ids: CocoIds, ann_file: str | Path | None
) -> dict[Path, int]:
    if ann_file is None:
        return {path: index for index, path in enumerate(paths, start=1)}
    with _of_annotations(ann_file):
        return ids.images(paths)


@contextmanager
def _of_annotations(ann_file: str | Path) -> Iterator[None]:
    """Say which file it is that does not fit.

    Raises:
        M2DetError: In the place of what the ids raise.
    """
    try:
        yield
    except M2DetError:
        # It names the file.
        raise
    except ValueError as error:
        raise M2DetError(f'ann_file {ann_file}: {error}') from error
