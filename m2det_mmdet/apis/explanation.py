"""Tell why a detector finds what it finds, by levels of its pyramid or as heat."""

import json
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from mmdet.structures.bbox import bbox_overlaps
from mmengine.config import Config
from pycocotools.coco import COCO
from torch import as_tensor

from ..analysis.cams import eigen_cam, grad_cam
from ..analysis.explained import (
    DataExplanation,
    Explanation,
    GroupShares,
    HeatExplanation,
    SeenObject,
)
from ..analysis.level_view import ExplainedObject, LevelView
from ..analysis.levels import LevelsError, check_levels
from ..compat.environment import PackagesError
from ..evaluation.ground_truth import truth_of
from ..report.explanation import data_page, heat_page, image_page
from ..utils.arguments import check_paths, texts_of
from ..utils.builds import did_you_mean
from ..utils.errors import M2DetError, our_errors
from ..utils.exported import is_exported
from ..utils.files import check_output, write_whole
from ..utils.logs import prints_to, quiet_log
from .checks import check_fraction, check_one_of
from .detector import Detector
from .evaluation import build_test
from .evaluation_data import SPLITS, choose_images
from .image_sources import ImageSource
from .model_source import find_model

# COCO's ranges of areas, and where one ends and the next begins, square pixels.
_SIZES, _LIMITS = ('small', 'medium', 'large'), (32**2, 96**2)
# An object was found by a box of its class that overlaps it so much.
_FOUND = 0.5
_SHOWN = 4  # classes with maps on the page of an image
METHODS = ('levels', 'gradcam', 'eigencam')


@our_errors()
def explain(
    model: str | Path | Config,
    image: ImageSource,
    checkpoint: str | Path | None = None,
    *,
    out: str | Path | None = None,
    score_thr: float = 0.3,
    classes: Sequence[str] = (),
    method: str | None = None,
    force: bool = False,
    device: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Explanation | HeatExplanation:
    """Tell why a detector finds what it finds in an image.

    By levels the scores are split into what each level of ``MLFPN`` gives. The split is
    exact: the numbers of the levels and a constant are the score before the activation.
    SFAM's weights are within them. Other detectors have heat maps, by the package
    grad-cam: see :func:`.grad_cam` and :func:`.eigen_cam`.

    Args:
        model: A run folder, a name of the zoo, a checkpoint, or a config, as of
            :class:`.Detector`.
        image: One image, as of :class:`.Detector`.
        checkpoint: Where ``model`` is a config.
        out: HTML file to write, and JSON beside it; nothing is written by default.
        score_thr: Lowest score of an object.
        classes: Classes to look for over the whole image; by default those that are
            found. EigenCAM knows none.
        method: ``'levels'``, ``'gradcam'`` or ``'eigencam'``; by default levels where
            the detector has them, else EigenCAM.
        force: Whether files there may be replaced.
        device: ``'cpu'``, ``'cuda'``, ...; the best there is by default.
        options: Settings of the config to override, by their dotted keys.

    Raises:
        LevelsError: If ``method`` is ``'levels'`` and the scores of the detector are no
            sum over levels.
        PackagesError: If there have to be heat maps and grad-cam is not installed.
        M2DetError: One sentence on what is wrong with an argument, the model or the
            image; also if nothing was found and no class named.
    """
    check_fraction('score_thr', score_thr)
    check_one_of('method', method, METHODS)
    chosen = texts_of('classes', classes)
    page = _page(out, force=force)
    detector = _looked_into(model, checkpoint, device, options)
    labels = [_label(name, detector.classes) for name in chosen]
    if method in (None, 'levels'):
        try:
            _check_levels(detector)
        except LevelsError as error:
            if method is not None:
                raise
            return _fall_back(detector, image, score_thr, labels, error, page)
        return _by_levels(detector, image, score_thr, labels, page)
    return _by_heat(detector, image, score_thr, labels, method, page)


@our_errors()
def explain_data(
    model: str | Path | Config,
    checkpoint: str | Path | None = None,
    *,
    data: str | Path | None = None,
    split: str | None = None,
    out: str | Path | None = None,
    force: bool = False,
    device: str | None = None,
    options: Mapping[str, Any] | None = None,
    on_image: Callable[[int, int], None] | None = None,
) -> DataExplanation:
    """Tell which levels find the objects of a data set, by their size and class.

    Each object counts that the detector finds: by a box of its class with an IoU of at
    least 0.5, whatever its score; of several by the one with the best score.

    Args:
        model: As of :func:`explain`.
        checkpoint: Where ``model`` is a config.
        data: A folder of one's own; by default the data of the config.
        split: As of :func:`.report`.
        out: HTML file to write, and JSON beside it; nothing is written by default.
        force: Whether files there may be replaced.
        device: ``'cpu'``, ``'cuda'``, ...; the best there is by default.
        options: Settings of the config to override, by their dotted keys.
        on_image: Gets the number of images that are done, and that of all.

    Raises:
        LevelsError: If the scores of the detector are no sum over levels.
        M2DetError: One sentence on what is wrong with an argument, the model or the
            data; also if no object was found.
    """
    check_one_of('split', split, SPLITS)
    check_paths(data=data)
    page = _page(out, force=force)
    detector = _looked_into(model, checkpoint, device, options)
    _check_levels(detector)
    with TemporaryDirectory() as scratch:
        source = find_model(model, checkpoint, options)
        chosen = choose_images(
            source.cfg,
            source.checkpoint,
            data=data,
            split=split,
            default='val',
            out=Path(scratch),
        )
        # Images are read one by one, by the detector.
        source.cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
        source.cfg.work_dir = str(Path(scratch) / 'work')
        with prints_to(quiet_log()):
            dataset = build_test(source.cfg, source.checkpoint).test_dataloader.dataset
            truth = truth_of(dataset)
        supercategories = _supercategories(getattr(dataset, 'ann_file', None))
    groups: dict[str, dict[str, list[ExplainedObject]]] = {}
    for number, image_id in enumerate(truth.imgs, start=1):
        path = truth.imgs[image_id]['file_name']
        view = LevelView(detector.inferencer.model, *detector.network_input(path)[1])
        for annotation, found in _matches(truth, image_id, view.objects(0)):
            name = truth.cats[annotation['category_id']]['name']
            kinds = {'all': 'all', 'size': _size(annotation['area']), 'class': name}
            if name in supercategories:
                kinds['supercategory'] = supercategories[name]
            for kind, group in kinds.items():
                groups.setdefault(kind, {}).setdefault(group, []).append(found)
        if on_image is not None:
            on_image(number, len(truth.imgs))
    if not groups:
        raise M2DetError(
            'The detector found none of the objects, so that there is nothing to '
            'explain: train it longer, or choose other images.'
        )
    num_scales = len(view.split.sizes)
    order = [*_SIZES, *detector.classes, *dict.fromkeys(supercategories.values())]
    result = DataExplanation(
        chosen.split,
        len(truth.imgs),
        sum(not x.get('iscrowd', 0) for x in truth.anns.values()),
        {
            kind: {
                name: _mean(own[name], num_scales)
                for name in (order if kind != 'all' else own)
                if name in own
            }
            for kind, own in groups.items()
        },
        page,
    )
    if page is not None:
        with prints_to(quiet_log()):
            text = data_page(str(detector.checkpoint), result)
        _write(page, text, _figures_of_data(result))
    return result


def _by_levels(
    detector: Detector,
    image: ImageSource,
    score_thr: float,
    labels: Sequence[int],
    page: Path | None,
) -> Explanation:
    pixels, given = detector.network_input(image)
    view = LevelView(detector.inferencer.model, *given)
    objects = tuple(view.objects(score_thr))
    labels = _labels(labels, objects, score_thr)
    found = Explanation(
        detector.classes,
        objects,
        {detector.classes[label]: view.heat(label) for label in labels},
        view.split.weights[0].cpu().numpy(),
        page,
    )
    if page is not None:
        names = [detector.classes[label] for label in labels[:_SHOWN]]
        with prints_to(quiet_log()):
            text = image_page(
                str(detector.checkpoint), pixels, found, names, view.covered
            )
        _write(page, text, _figures_of_image(found))
    return found


def _by_heat(
    detector: Detector,
    image: ImageSource,
    score_thr: float,
    labels: Sequence[int],
    method: str,
    page: Path | None,
    note: str | None = None,
) -> HeatExplanation:
    if method == 'eigencam' and labels:
        raise M2DetError(
            f'EigenCAM shows no single classes such as {detector.classes[labels[0]]}: '
            'leave out classes, or take the method gradcam.'
        )
    pixels, (images, metas) = detector.network_input(image)
    objects = tuple(
        SeenObject(x.box, x.score, x.label)
        for x in detector(pixels, score_thr=score_thr)
    )
    model = detector.inferencer.model
    if method == 'eigencam':
        heat = {'all': eigen_cam(model, images)}
    else:
        labels = _labels(labels, objects, score_thr)
        maps = grad_cam(model, images, labels)
        names = [detector.classes[label] for label in labels]
        heat = dict(zip(names, maps, strict=True))
    # Below the image and to its right the network's input was filled up.
    height, width = metas[0]['img_shape'][:2]
    heat = {name: x[:height, :width] for name, x in heat.items()}
    found = HeatExplanation(detector.classes, objects, heat, method, note, page)
    if page is not None:
        with prints_to(quiet_log()):
            text = heat_page(str(detector.checkpoint), pixels, found, [*heat][:_SHOWN])
        _write(page, text, _figures_of_heat(found))
    return found


def _fall_back(
    detector: Detector,
    image: ImageSource,
    score_thr: float,
    labels: Sequence[int],
    reason: LevelsError,
    page: Path | None,
) -> HeatExplanation:
    """Explain a detector without levels by EigenCAM, which any has."""
    note = f'{reason} So EigenCAM shows where its maps stand out.'
    try:
        return _by_heat(detector, image, score_thr, labels, 'eigencam', page, note)
    except PackagesError as error:
        raise PackagesError(f'{reason} {error}') from error


def _labels(
    labels: Sequence[int],
    objects: Sequence[ExplainedObject | SeenObject],
    score_thr: float,
) -> Sequence[int]:
    """Return the classes that were chosen, or those that were found."""
    labels = labels or list(dict.fromkeys(x.label for x in objects))
    if not labels:
        raise M2DetError(
            f'Nothing was found with a score of {score_thr} or more: lower '
            'score_thr, or name a class to look for.'
        )
    return labels


def _looked_into(
    model: str | Path | Config,
    checkpoint: str | Path | None,
    device: str | None,
    options: Mapping[str, Any] | None,
) -> Detector:
    """Build a detector whose layers are there to be looked into."""
    if isinstance(model, str | Path) and is_exported(model):
        raise LevelsError(
            f'{model} is an exported file, whose layers cannot be looked into: give '
            'the checkpoint that it was made of.'
        )
    return Detector(model, checkpoint, device=device, options=options)


def _check_levels(detector: Detector) -> None:
    """Raise where the scores of a detector are no sum over levels."""
    try:
        check_levels(detector.inferencer.model)
    except LevelsError as error:
        raise LevelsError(
            f'{detector.checkpoint} cannot be explained by levels. {error}'
        ) from error


def _label(name: str, classes: Sequence[str]) -> int:
    if name not in classes:
        hint = did_you_mean(name, list(classes)) or f'it has {", ".join(classes)}.'
        raise M2DetError(f'The detector has no class {name}: {hint}')
    return classes.index(name)


def _page(out: str | Path | None, *, force: bool) -> Path | None:
    check_paths(out=out)
    if out is None:
        return None
    page = Path(out)
    if page.suffix.lower() not in ('.html', '.htm'):
        raise M2DetError(f'{out} must end in .html.')
    check_output(page.with_suffix('.json'), force=force)
    return check_output(page, force=force)


def _write(page: Path, text: str, figures: dict[str, Any]) -> None:
    content = json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False)
    write_whole(page.with_suffix('.json'), f'{content}\n')
    write_whole(page, text)


def _matches(
    truth: COCO, image_id: int, found: Sequence[ExplainedObject]
) -> list[tuple[dict, ExplainedObject]]:
    """Return the objects of an image that were found, and by what."""
    matches = []
    for annotation in truth.imgToAnns[image_id]:
        # Classes are numbered from 1.
        label = annotation['category_id'] - 1
        own = [x for x in found if x.label == label]
        if annotation.get('iscrowd', 0) or not own:
            continue
        x, y, width, height = annotation['bbox']
        box = as_tensor([[x, y, x + width, y + height]])
        overlaps = bbox_overlaps(box, as_tensor([x.box for x in own]))[0]
        # The best score is the first one.
        for one, overlap in zip(own, overlaps, strict=True):
            if overlap >= _FOUND:
                matches.append((annotation, one))
                break
    return matches


def _size(area: float) -> str:
    return _SIZES[bisect_right(_LIMITS, area)]


def _mean(objects: Sequence[ExplainedObject], num_scales: int) -> GroupShares:
    evidence = np.mean([x.evidence for x in objects], axis=0)
    scales = np.bincount([x.scale for x in objects], minlength=num_scales)
    return GroupShares(len(objects), tuple(evidence.tolist()), tuple(scales.tolist()))


def _supercategories(ann_file: str | None) -> dict[str, str]:
    """Return the supercategory of each class where a file tells several."""
    if ann_file is None or not Path(ann_file).is_file():
        return {}
    categories = json.loads(Path(ann_file).read_text()).get('categories', [])
    found = {
        x['name']: x['supercategory'] for x in categories if x.get('supercategory')
    }
    return found if len({*found.values()}) > 1 else {}


def _figures_of_image(found: Explanation) -> dict[str, Any]:
    return {
        **_figures_of_objects(found),
        'sfam_weights': found.weights.tolist(),
        'maps': {
            name: [scale.tolist() for scale in maps]
            for name, maps in found.maps.items()
        },
    }


def _figures_of_heat(found: HeatExplanation) -> dict[str, Any]:
    return {**_figures_of_objects(found), 'note': found.note}


def _figures_of_objects(found: Explanation | HeatExplanation) -> dict[str, Any]:
    return {
        'method': found.method,
        'classes': found.classes,
        'objects': [
            {**asdict(x), 'name': found.classes[x.label]} for x in found.objects
        ],
    }


def _figures_of_data(result: DataExplanation) -> dict[str, Any]:
    return {
        'split': result.split,
        'images': result.images,
        'objects': result.objects,
        'groups': {
            kind: {
                name: {**asdict(group), 'shares': group.shares}
                for name, group in own.items()
            }
            for kind, own in result.groups.items()
        },
    }
