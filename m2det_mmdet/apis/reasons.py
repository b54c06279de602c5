"""Why a detector finds what it finds in an image that the network looked at."""

from collections.abc import Sequence

import torch

from ..analysis.cams import eigen_cam, grad_cam
from ..analysis.explained import Explanation, HeatExplanation
from ..analysis.level_view import ExplainedObject, LevelView
from ..analysis.levels import LevelsError, check_levels
from ..compat.environment import PackagesError
from ..models.utils.image_sizes import covered_part
from ..utils.found_object import FoundObject
from .detector import Detector, DetInput
from .image_sources import ImageSource


def explain_object(
    detector: Detector, image: ImageSource, found: FoundObject
) -> Explanation | HeatExplanation:
    """Tell why a detector has found an object, by levels, or else by EigenCAM.

    Args:
        detector: The detector, no exported file; its network runs once.
        image: The image.
        found: The object.

    Raises:
        CamError: If it has no maps.
        PackagesError: If there has to be a heat map and grad-cam is not installed.
    """
    _, given = detector.network_input(image)
    model = detector.inferencer.model
    try:
        check_levels(model)
    except LevelsError as error:
        return by_heat(detector, given, [found], 'eigencam', reason=error)
    view = LevelView(model, *given, detector.classes)
    explained = view.explain(torch.tensor(found.box), found.score, found.label)
    return by_levels(detector, view, [explained], [found.label])


def by_levels(
    detector: Detector,
    view: LevelView,
    objects: Sequence[ExplainedObject],
    labels: Sequence[int],
) -> Explanation:
    """Return what the levels give to objects, and for classes over the image.

    Args:
        detector: The detector.
        view: What it sees in the image.
        objects: Those that it found.
        labels: Places of the classes.
    """
    return Explanation(
        detector.classes,
        tuple(objects),
        {detector.classes[label]: view.heat(label) for label in labels},
        view.split.weights[0].cpu().numpy(),
        view.covered,
    )


def by_heat(
    detector: Detector,
    given: DetInput,
    objects: Sequence[FoundObject],
    method: str,
    labels: Sequence[int] = (),
    reason: LevelsError | None = None,
) -> HeatExplanation:
    """Return heat maps of an image.

    Args:
        detector: The detector.
        given: What its network gets of the image.
        objects: Those that it found.
        method: ``'gradcam'`` or ``'eigencam'``.
        labels: Places of the classes; EigenCAM knows none.
        reason: Why its scores are not split into those of levels, where nobody chose
            the method.

    Raises:
        CamError: As of :func:`.eigen_cam` and :func:`.grad_cam`.
        PackagesError: Likewise.
    """
    images, metas = given
    model = detector.inferencer.model
    names = [detector.classes[label] for label in labels]
    try:
        if method == 'eigencam':
            heat = {'all': eigen_cam(model, images)}
        else:
            heat = dict(zip(names, grad_cam(model, images, labels), strict=True))
    except PackagesError as error:
        if reason is None:
            raise
        raise PackagesError(f'{reason} {error}') from error
    height, width = (
        max(1, round(part * side))
        for part, side in zip(covered_part(metas), images.shape[-2:], strict=True)
    )
    heat = {name: x[:height, :width] for name, x in heat.items()}
    note = f'{reason} So EigenCAM shows where its maps stand out.' if reason else None
    return HeatExplanation(detector.classes, tuple(objects), heat, method, note)
