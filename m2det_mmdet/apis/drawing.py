"""Draw ground truth beside predictions."""

from pathlib import Path

from ..datasets.coco import load_annotations
from ..evaluation.coco_records import load_results
from ..utils.arguments import check_path
from ..utils.errors import M2DetError, our_errors
from ..utils.files import check_output
from ..utils.images import check_picture, write_picture
from ..utils.logs import prints_to, quiet_log
from ..visualization import draw_comparison
from .checks import check_at_least, check_fraction


@our_errors()
def draw(
    annotations: str | Path,
    results: str | Path,
    images: str | Path,
    out: str | Path,
    *,
    num_images: int = 6,
    score_thr: float = 0.3,
    force: bool = False,
) -> Path:
    """Draw ground truth beside predictions of several images.

    Args:
        annotations: COCO annotation file.
        results: JSON in COCO's results format, as :func:`.predict` writes it.
        images: Folder of the images.
        out: Picture to write.
        num_images: How many images are drawn at the most, evenly spread over those
            with objects; over all where none has any.
        score_thr: Lowest score that is drawn.
        force: Whether a picture that is there may be replaced.

    Returns:
        The picture.

    Raises:
        M2DetError: One sentence on an argument, a file that is missing or of another
            form, or a record that does not fit the annotations.
    """
    paths = {'annotations': annotations, 'results': results, 'images': images}
    for name, path in {**paths, 'out': out}.items():
        check_path(name, path)
    check_at_least('num_images', num_images, 1)
    check_fraction('score_thr', score_thr)
    out = Path(out).expanduser()
    check_picture(out)
    check_output(out, force=force)
    with prints_to(quiet_log()):
        truth = load_annotations(annotations)
        predictions = load_results(results, truth)
    try:
        picture = draw_comparison(
            truth, predictions, images, num_images=num_images, score_thr=score_thr
        )
    except ValueError as error:
        raise M2DetError(f'{annotations} cannot be drawn: {error}') from error
    write_picture(out, picture)
    return out
