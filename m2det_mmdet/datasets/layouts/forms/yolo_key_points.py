"""Tells polygons from boxes with key points, which YOLO's labels write alike."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ....utils.regular_files import read_regular
from ...faults import Faults, Level, new_kind

_SHARE = 0.9  # of the lines that look like key points: then the labels are
_EDGE = 0.01  # how far exporters let a box reach beyond the image
_SLANT = 0.01  # how far rounding moves the corners of a rectangle


KEY_POINTS = new_kind(
    'key-points',
    Level.FAULT,
    'data sets whose labels look like boxes with key points, but do not say so',
    'They are read so: write kpt_shape into data.yaml, or null for polygons.',
)


def num_key_values(labels: Iterable[Path], faults: Faults) -> int:
    """Tell whether the lines that are longer than a box are boxes with key points.

    All lines with key points have the same length, that of polygons varies. Where it
    does not, the numbers decide: of key points the first four are a box in the image,
    and most points lie in it; a third number for each is 0, 1 or 2.

    Args:
        labels: The files of all images; those that cannot be read are left out.
        faults: Gets what to write into the description, if they are.

    Returns:
        How many numbers follow a box: 0 if the lines are polygons.
    """
    first, lines = None, []
    for path in labels:
        for values in _long_lines(path):
            first = first or path
            if lines and len(values) != len(lines[0]):
                return 0
            lines.append(values)
    if not lines:
        return 0
    count = len(lines[0])
    for dims in (3, 2):
        number, rest = divmod(count - 4, dims)
        found = sum(_has_key_points(values, dims) for values in lines)
        if not rest and found >= _SHARE * len(lines):
            faults.report(
                KEY_POINTS,
                f'The labels, as {first}, have {count} numbers after the class, which '
                f'look like a box and {number} key points: write kpt_shape: '
                f'[{number}, {dims}] into data.yaml, or kpt_shape: null if they are '
                'polygons.',
            )
            return number * dims
    return 0


def _long_lines(path: Path) -> Iterator[list[float]]:
    """Yield the numbers after the class of lines that are no plain boxes."""
    try:
        lines = read_regular(path).decode('utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        try:
            values = [float(word) for word in line.split()[1:]]
        except ValueError:
            continue
        if len(values) > 5:
            yield values


def _has_key_points(values: Sequence[float], dims: int) -> bool:
    cx, cy, w, h, *rest = values
    if dims == 3 and not {*rest[2::3]} <= {0, 1, 2}:
        return False
    if len(values) == 8 and _is_parallelogram(values):
        return False
    in_image = all(
        side > 0 and side / 2 - _EDGE <= centre <= 1 - side / 2 + _EDGE
        for centre, side in ((cx, w), (cy, h))
    )
    # Key points that are not known are written as 0 0.
    points = zip(rest[::dims], rest[1::dims], strict=False)
    known = [point for point in points if any(point)]
    in_box = [abs(x - cx) <= w / 2 and abs(y - cy) <= h / 2 for x, y in known]
    return in_image and 2 * sum(in_box) >= len(in_box)


def _is_parallelogram(corners: Sequence[float]) -> bool:
    """Whether ``x y`` of four corners are those of an oriented box."""
    return all(
        abs(a + c - b - d) <= _SLANT for a, b, c, d in (corners[::2], corners[1::2])
    )
