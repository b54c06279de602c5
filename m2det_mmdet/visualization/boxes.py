"""Boxes with names and scores, drawn into images of any size."""

from collections.abc import Sequence
from math import ceil, sqrt

import numpy as np

from .palette import class_colors
from .texts import Color, ink_on, paste, text_patch

# Parts of an image: all names cover at most so much of its area, one of its width and
# height.
_MOST_COVERED, _MOST_WIDTH, _MOST_HEIGHT = 0.4, 0.5, 0.5


def draw_boxes(
    image: np.ndarray,
    boxes: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    *,
    scores: np.ndarray | None = None,
    palette: Sequence[Color] | None = None,
    named: bool = True,
    line_width: int | None = None,
) -> np.ndarray:
    """Draw boxes into a copy of an image.

    Lines and letters grow with the image. Boxes are clipped to the image; those without
    a pixel in it, inverted or with a NaN are left out. Names lie on top of all lines,
    and what has a higher score on top of what has a lower one; without scores what is
    smaller on top of what is larger. Names cover at most 40 % of the image: what has
    the lowest scores, or all in a very low image, gets lines alone.

    Args:
        image: BGR, ``(H, W, 3)``, uint8; it is left as it is.
        boxes: ``(K, 4)``, xyxy, pixels of the image.
        labels: ``(K,)``, places in ``class_names``.
        class_names: A name for each class, in any language.
        scores: ``(K,)``, written behind the names.
        palette: A colour for each class, RGB; :func:`.class_colors` by default.
        named: Whether to write names and scores.
        line_width: Pixels; that of :func:`line_width_of` by default.

    Returns:
        The picture, BGR, ``(H, W, 3)``, uint8.

    Raises:
        ValueError: If the image is of another kind, the numbers of boxes, labels and
            scores differ, or a label is none of the classes.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    labels = np.asarray(labels, np.int64).reshape(-1)
    if scores is not None:
        scores = np.asarray(scores, np.float64).reshape(-1)
    _check(image, boxes, labels, scores, class_names)
    picture = image.copy()
    colors = [rgb[::-1] for rgb in palette or class_colors(len(class_names))]
    line = line_width or line_width_of(image)
    shown = _order(boxes, scores, image)
    corners = _corners(boxes, image)
    for index in shown:
        _outline(picture, corners[index], line, colors[labels[index]])
    if named:
        names = _names(picture, shown, labels, scores, class_names, colors)
        for index in reversed(names):
            _paste_name(picture, names[index], corners[index], line)
    return picture


def line_width_of(image: np.ndarray) -> int:
    """Return how wide lines are, pixels: 1 in a small image, 22 in 12,000 x 9,000."""
    return max(1, round(1 + _side(image) / 500))


def font_size_of(image: np.ndarray) -> int:
    """Return how large letters are, pixels: 9 in a small image, 147 in a huge one."""
    return max(9, round(8 + _side(image) / 75))


def _side(image: np.ndarray) -> float:
    """Return the side of a square of as many pixels."""
    return sqrt(image.shape[0] * image.shape[1])


def _check(
    image: np.ndarray,
    boxes: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray | None,
    class_names: Sequence[str],
) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            'Boxes are drawn into BGR images of uint8 and shape (H, W, 3), got '
            f'{image.dtype} and {image.shape}: convert it.'
        )
    counts = [len(x) for x in (boxes, labels, scores) if x is not None]
    if len(set(counts)) > 1:
        raise ValueError(
            'Each box needs a label and a score, got '
            f'{" and ".join(map(str, counts))} of boxes, labels and scores.'
        )
    unknown = labels[(labels < 0) | (labels >= len(class_names))]
    if len(unknown):
        raise ValueError(
            f'The label {unknown[0]} is none of the {len(class_names)} classes: give '
            'the names of all classes.'
        )


def _order(
    boxes: np.ndarray, scores: np.ndarray | None, image: np.ndarray
) -> list[int]:
    """List the boxes that have pixels in the image, the last on top."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = boxes.T
    # Each comparison with NaN is false.
    visible = (x1 <= x2) & (y1 <= y2) & (x1 < width) & (y1 < height)
    visible &= (x2 >= 0) & (y2 >= 0)
    clipped = _corners(boxes, image)
    areas = (clipped[:, 2:] - clipped[:, :2]).prod(axis=1)
    keys = -areas if scores is None else np.nan_to_num(scores, nan=-np.inf)
    order = np.argsort(keys, kind='stable')
    return [int(index) for index in order if visible[index]]


def _corners(boxes: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Clip boxes to an image and round them; NaN becomes 0."""
    height, width = image.shape[:2]
    clipped = np.clip(np.nan_to_num(boxes, posinf=np.inf, neginf=-np.inf), 0, None)
    return np.minimum(clipped, [width, height] * 2).round().astype(np.int64)


def _outline(picture: np.ndarray, corners: np.ndarray, line: int, color: Color) -> None:
    """Draw four lines, which are centred on the sides of a box.

    At a small box they move outwards, so that the object in it can be seen, and at the
    border of the picture inwards.
    """
    x_starts, y_starts = (
        _starts(*corners[axis::2], line, picture.shape[1 - axis]) for axis in (0, 1)
    )
    columns = slice(x_starts[0], x_starts[1] + line)
    rows = slice(y_starts[0], y_starts[1] + line)
    for start in y_starts:
        picture[start : start + line, columns] = color
    for start in x_starts:
        picture[rows, start : start + line] = color


def _starts(low: int, high: int, line: int, length: int) -> tuple[int, int]:
    """Return the first pixels of the lines at both ends of a side."""
    inside = min(ceil(line / 2), (high - low) // 4)
    last = max(0, length - line)
    first = min(max(0, low + inside - line), last)
    return first, max(first, min(high - inside, last))


def _names(
    picture: np.ndarray,
    shown: Sequence[int],
    labels: np.ndarray,
    scores: np.ndarray | None,
    class_names: Sequence[str],
    colors: Sequence[Color],
) -> dict[int, np.ndarray]:
    """Draw the name of each of ``shown``, from the last on, until there is no space."""
    height, width = picture.shape[:2]
    size, left = font_size_of(picture), _MOST_COVERED * height * width
    patches: dict[tuple[int, str], np.ndarray] = {}
    names = {}
    for index in reversed(shown):
        label = int(labels[index])
        end = '' if scores is None else f' {scores[index]:.2f}'
        if (label, end) not in patches:
            patches[label, end] = text_patch(
                class_names[label],
                size,
                ink=ink_on(colors[label]),
                paper=colors[label],
                most=max(1, round(_MOST_WIDTH * width)),
                end=end,
            )
        patch = patches[label, end]
        left -= patch.shape[0] * patch.shape[1]
        if left < 0 or len(patch) > _MOST_HEIGHT * height:
            break
        names[index] = patch
    return names


def _paste_name(
    picture: np.ndarray, patch: np.ndarray, corners: np.ndarray, line: int
) -> None:
    """Put a name above its box, or below its upper line if there is no space above."""
    left, top = (max(0, int(start) - line // 2) for start in corners[:2])
    above = top - len(patch)
    paste(picture, patch, left, above if above >= 0 else top + line)
