"""The images in which most is found, and those in which least is."""

from ...evaluation.images import ImageFigures, best_images, worst_images
from ..findings import EvaluatedDetector, Findings
from ..page import Part, Picture, Section
from ..pairs import pair

_COUNT = 4  # images from either end


def section(data: EvaluatedDetector, findings: Findings) -> Section | None:
    """Show the worst and the best images, ground truth beside what was found."""
    worst = _pictures(data, findings, worst_images(findings.images, _COUNT))
    best = _pictures(data, findings, best_images(findings.images, _COUNT))
    thr = findings.score_thr
    parts = [
        Part(
            title='Worst',
            text=[
                f'Left: the objects. Right: boxes with a score of {thr:.2f} or more.'
            ],
            pictures=worst,
        ),
        Part(title='Best', pictures=best),
    ]
    shown = [part for part in parts if part.pictures]
    return Section('Best and worst images', shown) if shown else None


def _pictures(
    data: EvaluatedDetector, findings: Findings, images: list[ImageFigures]
) -> list[Picture]:
    pictures = [
        pair(
            data,
            image.image_id,
            findings.score_thr,
            f'{image.tp} found, {image.fn} missed, {image.fp} wrong boxes:',
        )
        for image in images
    ]
    return [picture for picture in pictures if picture is not None]
