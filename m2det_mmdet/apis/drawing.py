"""Draw ground truth beside predictions."""

import json
from json import JSONDecodeError
from pathlib import Path

import cv2
from pycocotools.coco import COCO

from ..datasets.coco import CheckedCOCO, load_annotations
from ..utils.errors import M2DetError
from ..utils.files import write_whole
from ..utils.logs import prints_to, quiet_log
from ..visualization import draw_comparison
from .checks import check_at_least, check_fraction, our_errors


@our_errors()
def draw(
    annotations: str | Path,
    results: str | Path,
    images: str | Path,
    out: str | Path,
    *,
    num_images: int = 6,
    score_thr: float = 0.3,
) -> Path:
    """Draw ground truth beside predictions of several images.

    Args:
        annotations: COCO annotation file.
        results: JSON in COCO's results format, as :func:`.predict` writes it.
        images: Folder of the images.
        out: Picture to write.
        num_images: How many images are drawn, evenly spread.
        score_thr: Lowest score that is drawn.

    Returns:
        The picture.

    Raises:
        M2DetError: If a file is missing or of another form.
    """
    check_at_least('num_images', num_images, 1)
    check_fraction('score_thr', score_thr)
    log = quiet_log()
    with prints_to(log):
        truth = load_annotations(annotations)
        predictions = _load_results(truth, Path(results))
    picture = draw_comparison(
        truth, predictions, images, num_images=num_images, score_thr=score_thr
    )
    try:
        _, data = cv2.imencode(Path(out).suffix or '.', picture)
    except cv2.error as error:
        raise M2DetError(
            f'{out} cannot be a picture: give it the suffix .png or .jpg.'
        ) from error
    write_whole(Path(out), lambda file: file.write(data.tobytes()))
    return Path(out)


def _load_results(truth: CheckedCOCO, path: Path) -> COCO:
    try:
        records = json.loads(path.read_text(encoding='utf-8'))
        # loadRes fails on an empty list.
        return truth.loadRes(records) if records else COCO()
    except FileNotFoundError as error:
        raise M2DetError(f'There is no results file {path}: check the path.') from error
    except (JSONDecodeError, AssertionError) as error:
        raise M2DetError(
            f'{path} holds no COCO results for these annotations ({error}).'
        ) from error
