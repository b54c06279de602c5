"""One scene: objects over a background, and the boxes of their visible parts."""

from dataclasses import dataclass

import numpy as np

from .backgrounds import Size, add_distractors, develop, make_background, mean_colour
from .collections import COLLECTIONS, Collection
from .shapes import Drawing
from .sprites import Sprite, overlap, paste, render

MAX_OBJECTS = 8
SIDES = (0.06, 0.80)  # longer side of an object over the image's shorter side
SKEW = 0.45  # exponent of its distribution; 1 is uniform in log, less is larger
MIN_VISIBLE = 0.7  # share of an object's own pixels that others and borders leave
MAX_RESTING = 0.3  # share of a new object's pixels that may lie on other objects

_OUTSIDE = 0.1  # share of a sprite's side that may lie beyond the border
_TRIES = 20  # positions tried before an object is left out
_NOBODY = -1


@dataclass(frozen=True)
class SceneObject:
    """An annotated object.

    Attributes:
        name: Its class.
        box: Extent of its visible pixels, ``(x, y, width, height)``, whole pixels.
        area: Number of its visible pixels.
        visible: Share of its pixels that neither others nor the border hide, 0..1.
    """

    name: str
    box: tuple[int, int, int, int]
    area: int
    visible: float


@dataclass(frozen=True)
class Scene:
    """An image and its objects.

    Attributes:
        image: BGR uint8, ``(height, width, 3)``.
        objects: One to ``MAX_OBJECTS``, larger ones first.
        owners: Index into ``objects`` of the object seen at each pixel, -1 for
            none, ``(height, width)``. An object owns a pixel if it covers half of it.
    """

    image: np.ndarray
    objects: list[SceneObject]
    owners: np.ndarray


def compose_scene(
    rng: np.random.Generator,
    size: Size,
    *,
    collection: Collection = COLLECTIONS['figures'],
) -> Scene:
    """Make one scene.

    Objects are placed from large to small. An object is left out if no place is found
    where every object stays visible (see ``MIN_VISIBLE``).

    Args:
        rng: Source of everything random.
        size: Width and height of the image, pixels.
        collection: The classes of its objects.
    """
    canvas = make_background(rng, size)
    add_distractors(rng, canvas)
    board = _Board(canvas)
    count = rng.integers(1, MAX_OBJECTS + 1)
    low, high = SIDES
    sides = low * (high / low) ** (rng.uniform(size=count) ** SKEW) * min(size)
    classes = tuple(collection.drawings)
    for side in sorted(sides, reverse=True):
        name = classes[rng.integers(len(classes))]
        board.add(rng, name, collection.drawings[name], side)
    return Scene(develop(rng, board.canvas), board.objects(), board.owners)


class _Board:
    """The picture while objects are being added to it.

    Args:
        canvas: Background, BGR 0..255, ``(height, width, 3)`` float32.
    """

    def __init__(self, canvas: np.ndarray) -> None:
        self.canvas = canvas
        self.owners = np.full(canvas.shape[:2], _NOBODY, np.int8)
        self._backdrop = mean_colour(canvas)
        self._names: list[str] = []
        self._pixels: list[int] = []  # of each object, before any occlusion

    def add(
        self, rng: np.random.Generator, name: str, draw: Drawing, side: float
    ) -> None:
        """Draw an object of a class where it fits, or leave it out."""
        sprite = render(rng, draw(rng), side, unlike=self._backdrop)
        for _ in range(_TRIES):
            left, top = self._random_place(rng, sprite)
            owners = self._owners_with(sprite, left, top)
            if owners is not None:
                self.owners = owners
                self._names.append(name)
                self._pixels.append(int(sprite.mask.sum()))
                paste(self.canvas, sprite, left, top)
                return

    def objects(self) -> list[SceneObject]:
        """Return the objects with the boxes of their visible parts."""
        found = []
        objects = zip(self._names, self._pixels, strict=True)
        for index, (name, pixels) in enumerate(objects):
            rows, columns = np.nonzero(self.owners == index)
            x, y = int(columns.min()), int(rows.min())
            box = (x, y, int(columns.max()) + 1 - x, int(rows.max()) + 1 - y)
            area = len(rows)
            found.append(SceneObject(name, box, area=area, visible=area / pixels))
        return found

    def _random_place(
        self, rng: np.random.Generator, sprite: Sprite
    ) -> tuple[int, int]:
        """Return left and top of a sprite, pixels; it may lie slightly outside."""
        lengths = np.array(sprite.cover.shape[::-1])
        slack = np.array(self.owners.shape[::-1]) - lengths
        outside = (_OUTSIDE * lengths).astype(int)
        left, top = rng.integers(-outside, slack + outside, endpoint=True)
        return int(left), int(top)

    def _owners_with(self, sprite: Sprite, left: int, top: int) -> np.ndarray | None:
        """Each pixel's owner with a new sprite; ``None`` if it hides too much."""
        target, source = overlap(
            self.owners.shape, sprite.cover.shape, left=left, top=top
        )
        mask, pixels = sprite.mask[source], sprite.mask.sum()
        if (self.owners[target][mask] != _NOBODY).sum() > MAX_RESTING * pixels:
            return None
        owners = self.owners.copy()
        owners[target][mask] = len(self._names)
        visible = np.bincount(owners[owners != _NOBODY], minlength=len(self._names) + 1)
        needed = MIN_VISIBLE * np.array([*self._pixels, pixels])
        return owners if (visible >= needed).all() else None
