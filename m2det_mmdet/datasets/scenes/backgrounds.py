"""Backgrounds, distractors and light."""

from collections.abc import Callable

import cv2
import numpy as np

from .shapes import STRAYS
from .sprites import paste, random_colours, render

Size = tuple[int, int]  # width, height in pixels


def make_background(rng: np.random.Generator, size: Size) -> np.ndarray:
    """Return a textured backdrop, BGR 0..255, ``(height, width, 3)`` float32."""
    first, second, third = random_colours(
        rng, 3, saturation=(0.0, 0.15), value=(0.35, 0.75)
    ).astype('f4')
    pattern = _PATTERNS[rng.integers(len(_PATTERNS))]
    image = first + pattern(rng, size)[..., None] * (second - first)
    stains = 0.5 * np.clip(_clouds(rng, size) * 3 - 1.5, 0, 1)
    return image + stains[..., None] * (third - image)


def add_distractors(rng: np.random.Generator, image: np.ndarray) -> None:
    """Draw scribbles, blobs and lone parts in place; they are not annotated."""
    for _ in range(rng.integers(0, 4)):
        _scribble(rng, image)
    for _ in range(rng.integers(0, 3)):
        _stray(rng, image)


def develop(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Apply light, contrast, blur and noise as a camera would.

    Args:
        rng: Source of all strengths.
        image: BGR 0..255, ``(height, width, 3)`` float32.

    Returns:
        BGR uint8 of the same shape.
    """
    height, width = image.shape[:2]
    light = 1 + rng.uniform(0, 0.35) * (_slope(rng, (width, height)) - 0.5)
    contrast, brightness = rng.uniform(0.8, 1.1), rng.uniform(-15, 15)
    image = (image - 128) * np.float32(contrast) * light[..., None]
    image += np.float32(128 + brightness)
    image = cv2.GaussianBlur(image, (5, 5), rng.uniform(0.2, 0.9))
    grain = rng.standard_normal((height, width, 1), dtype=np.float32)
    image += np.float32(rng.uniform(0, 4)) * grain
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def mean_colour(image: np.ndarray) -> np.ndarray:
    """Return the mean of each channel, ``(3,)``."""
    return np.array(cv2.mean(image)[:3])


def _slope(rng: np.random.Generator, size: Size) -> np.ndarray:
    """Return a plane that rises from 0 to 1 in a random direction."""
    width, height = size
    angle = rng.uniform(0, 2 * np.pi)
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32) * np.float32(np.cos(angle))
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32) * np.float32(np.sin(angle))
    plane = y[:, None] + x[None]
    return (plane - plane.min()) / (plane.max() - plane.min())


def _clouds(rng: np.random.Generator, size: Size) -> np.ndarray:
    """Return smooth noise of four octaves, 0..1."""
    total = np.zeros(size[::-1], np.float32)
    cells = int(rng.integers(2, 5))
    for octave in range(4):
        grid = rng.random((cells * 2**octave,) * 2, dtype=np.float32)
        total += cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC) / 2**octave
    return (total - total.min()) / (total.max() - total.min())


def _ripples(rng: np.random.Generator, size: Size) -> np.ndarray:
    """Return faint soft stripes over a slope, 0..1."""
    waves = np.float32(2 * np.pi * rng.uniform(4, 16))
    stripes = 0.5 + 0.5 * np.sin(waves * _slope(rng, size))
    return 0.75 * _slope(rng, size) + np.float32(0.25) * stripes


def _weave(rng: np.random.Generator, size: Size) -> np.ndarray:
    """Return two crossing sets of faint stripes over clouds, 0..1."""
    return 0.5 * _clouds(rng, size) + 0.25 * (_ripples(rng, size) + _ripples(rng, size))


_PATTERNS: tuple[Callable[[np.random.Generator, Size], np.ndarray], ...] = (
    _slope,
    _clouds,
    _ripples,
    _weave,
)


def _scribble(rng: np.random.Generator, image: np.ndarray) -> None:
    """Draw a winding line, one to three pixels wide.

    It is not antialiased, because OpenCV can do so only for 8-bit images; ``develop``
    blurs it.
    """
    height, width = image.shape[:2]
    steps = rng.normal(0, 0.04, (24, 2)).cumsum(axis=0).cumsum(axis=0) * 0.3
    points = (rng.random(2) + steps) * (width, height)
    colour = random_colours(rng, 1, saturation=(0.0, 0.3), value=(0.1, 1.0))[0]
    cv2.polylines(
        image,
        [np.rint(points * 16).astype(np.int32)],
        isClosed=False,
        color=colour.tolist(),
        thickness=int(rng.integers(1, 4)),
        shift=4,
    )


def _stray(rng: np.random.Generator, image: np.ndarray) -> None:
    """Put a lone part somewhere, possibly across the border of the image."""
    height, width = image.shape[:2]
    side = min(width, height) * np.exp(rng.uniform(np.log(0.06), np.log(0.4)))
    figure = STRAYS[rng.integers(len(STRAYS))](rng)
    sprite = render(rng, figure, side, unlike=mean_colour(image))
    left = rng.integers(-side // 2, width - side // 2)
    top = rng.integers(-side // 2, height - side // 2)
    paste(image, sprite, int(left), int(top))
