"""Detect objects in images."""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmdet.apis import DetInferencer
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from mmengine.structures import InstanceData

from ..analysis.random_weights import without_pretrained
from ..analysis.structure import structure_of
from ..checkpoints.loading import check_checkpoint
from ..checkpoints.weights import check_weights
from ..datasets.coco import load_annotations
from ..evaluation.coco_records import CocoIds, to_records
from ..utils.configs import load_config
from ..utils.devices import find_device
from ..utils.errors import M2DetError
from ..utils.files import check_output, write_whole
from ..utils.images import common_folder, find_images, read_images
from ..utils.logs import prints_to, quiet_log
from .checks import (
    acceleration_options,
    check_at_least,
    check_fraction,
    make_faster,
    our_errors,
)


@dataclass(frozen=True)
class Prediction:
    """What was found in an image.

    Attributes:
        path: The image.
        image_id: Its id in the results.
        boxes: ``(K, 4)``, xyxy, pixels of the image; the best score first.
        scores: ``(K,)``, from 0 to 1.
        labels: ``(K,)``, places in the classes of the detector.
        names: Names of these classes.
    """

    path: Path
    image_id: int
    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]


@dataclass(frozen=True)
class PredictionResult:
    """What was found in all images.

    Attributes:
        predictions: One an image, in the order of the inputs.
        skipped: Images that could not be read.
        results: The JSON that was written; ``None`` without an output folder.
        pictures: The folder of pictures that were drawn; likewise.
    """

    predictions: list[Prediction]
    skipped: list[Path]
    results: Path | None
    pictures: Path | None


@dataclass(frozen=True)
class ImageDone:
    """An image is done, or was skipped.

    Attributes:
        path: The image.
        done: Images so far, this one included.
        total: How many there are.
        skipped: Whether it could not be read.
    """

    path: Path
    done: int
    total: int
    skipped: bool


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
    options: Mapping[str, Any] | None = None,
    on_event: Callable[[ImageDone], None] | None = None,
) -> PredictionResult:
    """Detect objects in images, and write boxes and pictures where asked to.

    Args:
        config: Path or name of a config, or the config.
        checkpoint: Path or URL; it has to hold all weights of the model.
        inputs: Images, folders (with the folders in them) and glob patterns; or one of
            them.
        out: Folder for ``results.json``, in COCO's results format, and ``pictures``.
        score_thr: Lowest score that is drawn.
        ann_file: COCO annotations that give the ids of images and categories. Without
            them images are numbered from 1, and categories have COCO's ids if the
            classes are COCO's 80, else 1, 2, ... in the order of the classes.
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``, ...; the best there is by default.
        batch_size: Images at a time.
        fast: Whether to fold batch norms and store weights channels last.
        compile: Whether to compile the network.
        autocast: ``'bfloat16'`` or ``'float16'`` inside the network.
        options: Settings of the config to override, by their dotted keys.
        on_event: Gets an :class:`ImageDone` after each image.

    Raises:
        M2DetError: One sentence on what is wrong with an argument or a file; images
            that cannot be read are skipped instead.
    """
    quiet_log()
    check_checkpoint(str(checkpoint))
    check_at_least('batch_size', batch_size, 1)
    check_fraction('score_thr', score_thr)
    if device is not None:
        find_device(device)
    acceleration = acceleration_options(fast=fast, compile=compile, autocast=autocast)
    out = None if out is None else Path(out)
    if isinstance(inputs, str | Path):
        inputs = [inputs]
    paths = find_images([str(name) for name in inputs], exclude=out)
    if out is not None:
        check_output(out / 'results.json', force=True)
    detector = _detector(load_config(config, options), checkpoint, device)
    if acceleration:
        make_faster(detector.model, acceleration)
    classes = detector.model.dataset_meta['classes']
    ids = _coco_ids(classes, ann_file)
    image_ids = _image_ids(paths, ids, ann_file)

    root = common_folder(paths)
    skipped: list[Path] = []
    predictions: list[Prediction] = []
    records: list[dict[str, Any]] = []
    for path, image, sample in _detect(detector, paths, batch_size):
        if sample is None:
            skipped.append(path)
        else:
            found = sample.pred_instances
            predictions.append(_prediction(path, image_ids[path], found, classes))
            if out is not None:
                name = path.relative_to(root)
                records += to_records(found, image_ids[path], name.as_posix(), ids)
                picture = out / 'pictures' / name
                _draw(detector, image, sample, picture, score_thr)
        if on_event is not None:
            done = len(predictions) + len(skipped)
            on_event(ImageDone(path, done, len(paths), skipped=sample is None))

    if out is None:
        return PredictionResult(predictions, skipped, None, None)
    results = out / 'results.json'
    write_whole(results, json.dumps(records) + '\n')
    return PredictionResult(predictions, skipped, results, out / 'pictures')


def _detector(cfg: Config, checkpoint: str | Path, device: str | None) -> DetInferencer:
    """Build the detector with the weights of a checkpoint that has all of them."""
    weights = CheckpointLoader.load_checkpoint(str(checkpoint), 'cpu')
    check_weights(weights, structure_of(cfg), complete=True)
    # All weights come from the checkpoint.
    cfg.model = without_pretrained(cfg.model)
    with prints_to(quiet_log()), warnings.catch_warnings():
        # Each picture gets a file name of its own.
        warnings.filterwarnings('ignore', 'Failed to add .*LocalVisBackend')
        return DetInferencer(cfg, str(checkpoint), device=device, show_progress=False)


def _coco_ids(classes: Sequence[str], ann_file: str | Path | None) -> CocoIds:
    if ann_file is None:
        return CocoIds(classes)
    try:
        return CocoIds(classes, load_annotations(ann_file))
    except ValueError as error:
        raise M2DetError(f'ann_file {ann_file}: {error}') from error


def _image_ids(
    paths: list[Path], ids: CocoIds, ann_file: str | Path | None
) -> dict[Path, int]:
    if ann_file is None:
        return {path: index for index, path in enumerate(paths, start=1)}
    image_ids = {path: ids.image(path) for path in paths}
    absent = [path for path, image_id in image_ids.items() if image_id is None]
    if absent:
        raise M2DetError(
            f'{absent[0]} and {len(absent) - 1} other images are not listed in '
            f'ann_file {ann_file}: leave it or the images out.'
        )
    return image_ids


def _detect(
    detector: DetInferencer, paths: Sequence[Path], batch_size: int
) -> Iterator[tuple[Path, np.ndarray | None, DetDataSample | None]]:
    """Yield each image with what was found in it; ``None`` for one that is no image."""
    batch: list[tuple[Path, np.ndarray]] = []
    for number, (path, image) in enumerate(read_images(paths), start=1):
        if image is None:
            yield path, None, None
        else:
            batch.append((path, image))
        if batch and (len(batch) == batch_size or number == len(paths)):
            samples = detector(
                [image for _, image in batch],
                batch_size=batch_size,
                return_datasamples=True,
                no_save_vis=True,
            )['predictions']
            for (path, image), sample in zip(batch, samples, strict=True):
                yield path, image, sample.cpu()
            batch = []


def _prediction(
    path: Path, image_id: int, found: InstanceData, classes: Sequence[str]
) -> Prediction:
    labels = found.labels.numpy()
    return Prediction(
        path=path,
        image_id=image_id,
        boxes=found.bboxes.numpy(),
        scores=found.scores.numpy(),
        labels=labels,
        names=tuple(classes[label] for label in labels),
    )


def _draw(
    detector: DetInferencer,
    image: np.ndarray,
    sample: DetDataSample,
    picture: Path,
    score_thr: float,
) -> None:
    detector.visualizer.add_datasample(
        picture.name,
        mmcv.bgr2rgb(image),
        sample,
        draw_gt=False,
        pred_score_thr=score_thr,
        out_file=str(picture),
    )
