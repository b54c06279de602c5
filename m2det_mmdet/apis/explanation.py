"""Tell why a detector finds what it finds in an image, by levels or as heat."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..analysis.cams import eigen_cam, grad_cam
from ..analysis.explained import Explanation, HeatExplanation
from ..analysis.level_view import ExplainedObject, LevelView
from ..analysis.levels import LevelsError
from ..compat.environment import PackagesError
from ..models.utils.image_sizes import covered_part
from ..report.explanation import heat_page, image_page
from ..report.explanation_figures import figures_of_heat, figures_of_image
from ..report.page_files import page_to_write, write_page
from ..utils.arguments import texts_of
from ..utils.errors import M2DetError, our_errors
from ..utils.found_object import FoundObject
from ..utils.logs import prints_to, quiet_log
from .checks import check_fraction, check_one_of
from .class_choice import place_of
from .detector import Detector
from .explained_detector import check_its_levels, looked_into
from .image_sources import ImageSource

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
    page = page_to_write(out, force=force)
    detector = looked_into(model, checkpoint, device, options)
    labels = [place_of(name, detector.classes) for name in dict.fromkeys(chosen)]
    if method in (None, 'levels'):
        try:
            check_its_levels(detector)
        except LevelsError as error:
            if method is not None:
                raise
            return _fall_back(detector, image, score_thr, labels, error, page)
        return _by_levels(detector, image, score_thr, labels, page)
    return _by_heat(detector, image, score_thr, labels, method, page)


def _by_levels(
    detector: Detector,
    image: ImageSource,
    score_thr: float,
    labels: Sequence[int],
    page: Path | None,
) -> Explanation:
    pixels, given = detector.network_input(image)
    view = LevelView(detector.inferencer.model, *given, detector.classes)
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
        write_page(page, text, figures_of_image(found))
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
    objects = tuple(detector(pixels, score_thr=score_thr))
    model = detector.inferencer.model
    if method == 'eigencam':
        heat = {'all': eigen_cam(model, images)}
    else:
        labels = _labels(labels, objects, score_thr)
        maps = grad_cam(model, images, labels)
        names = [detector.classes[label] for label in labels]
        heat = dict(zip(names, maps, strict=True))
    parts = covered_part(metas)
    height, width = (
        max(1, round(part * side))
        for part, side in zip(parts, images.shape[-2:], strict=True)
    )
    heat = {name: x[:height, :width] for name, x in heat.items()}
    found = HeatExplanation(detector.classes, objects, heat, method, note, page)
    if page is not None:
        with prints_to(quiet_log()):
            text = heat_page(str(detector.checkpoint), pixels, found, [*heat][:_SHOWN])
        write_page(page, text, figures_of_heat(found))
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
    objects: Sequence[ExplainedObject | FoundObject],
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
