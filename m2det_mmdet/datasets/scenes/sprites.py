"""From a figure in the unit square to antialiased pixels in an image."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from .outlines import Figure, rotated

MAX_ASPECT = 1.3  # width over height or height over width, before the rotation
MAX_ANGLE = np.deg2rad(15)

_OVERSAMPLE = 3  # subpixels a pixel, along each axis
_FRACTION_BITS = 4  # of the fixed-point corners that OpenCV fills


@dataclass(frozen=True)
class Sprite:
    """A rendered figure.

    Attributes:
        paint: Colour times cover, BGR 0..255, ``(h, w, 3)`` float32.
        cover: Share of each pixel that the figure covers, 0..1, ``(h, w)``.
    """

    paint: np.ndarray
    cover: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """Pixels that are at least half covered, ``(h, w)`` bool."""
        return self.cover >= 0.5


def render(
    rng: np.random.Generator, figure: Figure, side: float, *, unlike: np.ndarray
) -> Sprite:
    """Render a figure in a random pose and random colours.

    Args:
        rng: Source of pose and colours.
        figure: Parts in the unit square.
        side: Longer side of the posed figure, pixels.
        unlike: Colour to avoid, BGR 0..255.
    """
    tones = 1 + max(part.tone for part in figure)
    colours = pick_colours(rng, tones, unlike=unlike)
    return rasterise(pose(rng, figure, side), colours)


def pose(rng: np.random.Generator, figure: Figure, side: float) -> Figure:
    """Give a figure a random aspect ratio and angle, then its size.

    The figure is first stretched to fill the unit square, so that the aspect
    ratio has the same distribution for every class.

    Returns:
        Parts in pixels, from (0, 0) on; the longer side of the figure is ``side``.
    """
    log_aspect = rng.uniform(-1, 1) * np.log(MAX_ASPECT)
    stretch = np.exp(np.array([0.5, -0.5]) * log_aspect)
    angle = rng.uniform(-MAX_ANGLE, MAX_ANGLE)

    low, high = _extent(figure)
    unit = _mapped(figure, lambda xy: (xy - low) / (high - low))
    turned = _mapped(unit, lambda xy: rotated((xy - 0.5) * stretch + 0.5, angle))
    left_top, right_bottom = _extent(turned)
    scale = side / (right_bottom - left_top).max()
    return _mapped(turned, lambda xy: (xy - left_top) * scale)


def rasterise(figure: Figure, colours: np.ndarray) -> Sprite:
    """Fill the parts of a figure, antialiased.

    Args:
        figure: Parts in pixels, none above or left of (0, 0).
        colours: One BGR colour 0..255 per tone, ``(tones, 3)``.
    """
    width, height = np.ceil(_extent(figure)[1]).astype(int).tolist()
    fine = (height * _OVERSAMPLE, width * _OVERSAMPLE)
    drawn = np.zeros(fine, np.uint8)
    labels = np.zeros(fine, np.uint8)  # one more than the tone; 0 where nothing is
    for part in figure:
        corners = [_fixed_point(outline) for outline in part.outlines]
        cv2.fillPoly(labels, corners, part.tone + 1, shift=_FRACTION_BITS)
        if not part.inside:
            cv2.fillPoly(drawn, corners, 255, shift=_FRACTION_BITS)
    labels &= drawn  # an inside part may have been painted beyond the figure

    shares = np.stack(
        [
            _shrunk(labels == label, width, height)
            for label in range(1, len(colours) + 1)
        ],
        axis=2,
    )
    return Sprite(paint=shares @ colours.astype('f4'), cover=shares.sum(axis=2))


def paste(image: np.ndarray, sprite: Sprite, left: int, top: int) -> None:
    """Blend a sprite into ``image`` in place; parts outside are cut off."""
    target, source = overlap(image.shape[:2], sprite.cover.shape, left, top)
    image[target] *= 1 - sprite.cover[source][..., None]
    image[target] += sprite.paint[source]


def overlap(
    image: tuple[int, int], sprite: tuple[int, int], left: int, top: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the common area of an image and a sprite put at ``left, top``.

    Args:
        image: Height and width, pixels.
        sprite: Height and width, pixels.
        left: Of the sprite in the image, pixels; may be negative.
        top: Of the sprite in the image, pixels; may be negative.

    Returns:
        Row and column slices into the image, and the same into the sprite.
    """
    starts = (top, left)
    target = tuple(
        slice(max(start, 0), min(start + length, limit))
        for start, length, limit in zip(starts, sprite, image, strict=True)
    )
    source = tuple(
        slice(span.start - start, span.stop - start)
        for start, span in zip(starts, target, strict=True)
    )
    return target, source


def pick_colours(
    rng: np.random.Generator, count: int, *, unlike: np.ndarray
) -> np.ndarray:
    """Draw colours that differ from one another and from ``unlike``.

    Each is the best of a few candidates: the one farthest, in BGR, from all
    colours so far. With few candidates the contrast is not always strong.

    Returns:
        BGR colours 0..255, ``(count, 3)``.
    """
    colours = np.asarray(unlike, float).reshape(1, 3)
    for _ in range(count):
        candidates = random_colours(rng, 4, saturation=(0.6, 1.0), value=(0.35, 1.0))
        distances = np.linalg.norm(candidates[:, None] - colours[None], axis=2)
        best = candidates[distances.min(axis=1).argmax()]
        colours = np.vstack([colours, best])
    return colours[1:]


def random_colours(
    rng: np.random.Generator,
    count: int,
    *,
    saturation: tuple[float, float],
    value: tuple[float, float],
) -> np.ndarray:
    """Draw colours of any hue, uniform in the given ranges of HSV, 0..1.

    Returns:
        BGR colours 0..255, ``(count, 3)``.
    """
    hsv = np.stack(
        [
            rng.uniform(0, 360, count),
            rng.uniform(*saturation, count),
            rng.uniform(*value, count),
        ],
        axis=1,
    )
    bgr = cv2.cvtColor(hsv[None].astype('f4'), cv2.COLOR_HSV2BGR)
    return 255.0 * bgr[0]


def _mapped(figure: Figure, move: Callable[[np.ndarray], np.ndarray]) -> Figure:
    return [
        replace(part, outlines=tuple(move(outline) for outline in part.outlines))
        for part in figure
    ]


def _extent(figure: Figure) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest xy of all parts that are not ``inside``."""
    corners = np.concatenate(
        [outline for part in figure if not part.inside for outline in part.outlines]
    )
    return corners.min(axis=0), corners.max(axis=0)


def _fixed_point(outline: np.ndarray) -> np.ndarray:
    """Return corners for ``cv2.fillPoly``, with the origin at a subpixel's centre."""
    centred = outline * _OVERSAMPLE - 0.5
    return np.rint(centred * 2**_FRACTION_BITS).astype(np.int32)


def _shrunk(mask: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return the share of each pixel's subpixels that are set, 0..1 float32."""
    fine = mask.astype('f4')
    return cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
