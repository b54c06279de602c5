"""Tell why a detector finds what it finds in an image, by levels or as heat."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..analysis.explained import Explanation, HeatExplanation
from ..analysis.level_view import ExplainedObject, LevelView
from ..analysis.levels import LevelsError
from ..report.explanation import explanation_page
from ..report.explanation_figures import figures_of
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
from .reasons import by_heat, by_levels

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
    method, reason = _choose(detector, method)
    if method == 'eigencam' and labels:
        raise M2DetError(
            f'EigenCAM shows no single classes such as {detector.classes[labels[0]]}: '
            'leave out classes, or take the method gradcam.'
        )
    pixels, given = detector.network_input(image)
    if method == 'levels':
        view = LevelView(detector.inferencer.model, *given, detector.classes)
        objects = view.objects(score_thr)
        labels = _labels(labels, objects, score_thr)
        found = by_levels(detector, view, objects, labels)
    else:
        objects = detector(pixels, score_thr=score_thr)
        if method == 'gradcam':
            labels = _labels(labels, objects, score_thr)
        found = by_heat(detector, given, objects, method, labels, reason)
    if page is None:
        return found
    found = replace(found, page=page)
    with prints_to(quiet_log()):
        text = explanation_page(str(detector.checkpoint), pixels, found)
    write_page(page, text, figures_of(found))
    return found


def _choose(detector: Detector, method: str | None) -> tuple[str, LevelsError | None]:
    """Return a method, and where nobody chose it why it is not by levels."""
    if method not in (None, 'levels'):
        return method, None
    try:
        check_its_levels(detector)
    except LevelsError as error:
        if method is not None:
            raise
        # Any detector has it.
        return 'eigencam', error
    return 'levels', None


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
