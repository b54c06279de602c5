"""Settings of anchor generators as numbers that a fit may change, and back.

The number of anchors in a cell never changes: the channels of the head stay.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mmdet.models.task_modules import AnchorGenerator, SSDAnchorGenerator

from ...models.task_modules import M2DetAnchorGenerator, RefineDetAnchorGenerator

Generator = M2DetAnchorGenerator | AnchorGenerator
Settings = dict[str, Any]
Ratios = Sequence[float] | Sequence[Sequence[float]]

LARGEST_RATIO = 8
# Rounder anchors are hardly wide or tall.
_ELONGATED = 1.1


@dataclass(frozen=True)
class Numbers:
    """The numbers of an anchor generator that a fit may change.

    Attributes:
        sizes: Sizes, in the unit of the settings; they have to increase.
        ratios: Ratios of the sides, of all scales in one sequence.
        write_ratios: Writes ratios as the setting of the name ``ratios``.
        lowest_ratio: The least that a ratio may be: where each gives a wide and a tall
            anchor, more than 1.
        pixels: Pixels of the size 1, where a size is the side of an anchor of a scale;
            ``None`` where it is a factor of the strides.
        given: The settings of the config.
        write_sizes: Writes sizes as settings.
    """

    sizes: tuple[float, ...]
    ratios: tuple[float, ...]
    write_ratios: Callable[[Sequence[float]], list]
    lowest_ratio: float
    pixels: float | None
    given: Settings
    write_sizes: Callable[[Sequence[float]], Settings]

    def settings(self, sizes: Sequence[float], ratios: Sequence[float]) -> Settings:
        """Return the settings of other numbers, without those that stay."""
        written = self.write_sizes(sizes)
        changed = {
            key: value
            for key, value in written.items()
            if value != _as_list(self.given.get(key))
        }
        if tuple(ratios) != self.ratios:
            changed['ratios'] = self.write_ratios(ratios)
        return changed


def numbers_of(settings: Settings, generator: Generator) -> Numbers:
    """Return the numbers in the settings of an anchor generator.

    Args:
        settings: Those of the config, which may leave out what has a default.
        generator: The generator that was built of them, of a type in :data:`FORMS`.
    """
    return FORMS[type(generator)](settings, generator)


def shapes_of(generator: Generator) -> list[list[tuple[float, float]]]:
    """Width and height of the anchors in a cell of each scale, input pixels."""
    if isinstance(generator, M2DetAnchorGenerator):
        return [list(shapes) for shapes in generator.shapes]
    return [
        [(x2 - x1, y2 - y1) for x1, y1, x2, y2 in boxes.tolist()]
        for boxes in generator.base_anchors
    ]


def _m2det(settings: Settings, generator: M2DetAnchorGenerator) -> Numbers:
    return Numbers(
        tuple(settings['sizes']),
        *_ratios(_given(settings, generator, 'ratios')),
        lowest_ratio=_ELONGATED,
        pixels=generator.input_size,
        given=settings,
        write_sizes=lambda sizes: {'sizes': list(sizes)},
    )


def _refinedet(settings: Settings, generator: RefineDetAnchorGenerator) -> Numbers:
    return Numbers(
        (_given(settings, generator, 'scale'),),
        *_ratios(_given(settings, generator, 'ratios')),
        lowest_ratio=_ELONGATED,
        pixels=None,
        given=settings,
        write_sizes=lambda sizes: {'scale': sizes[0]},
    )


def _ssd(settings: Settings, generator: SSDAnchorGenerator) -> Numbers:
    """A chain of sizes: the largest of a scale is the smallest of the next."""
    last = generator.base_sizes[-1] * float(generator.scales[-1][-1]) ** 2
    return Numbers(
        (*generator.base_sizes, round(last, 3)),
        *_ratios(settings['ratios']),
        lowest_ratio=_ELONGATED,
        pixels=1,
        given=settings,
        write_sizes=lambda sizes: {
            'min_sizes': list(sizes[:-1]),
            'max_sizes': list(sizes[1:]),
        },
    )


def _mmdet(settings: Settings, generator: AnchorGenerator) -> Numbers:
    """Sizes of the scales where the settings have them, else factors of strides."""
    names = ('base_sizes', 'octave_base_scale', 'scales')
    name = next(name for name in names if settings.get(name) is not None)
    one = name == 'octave_base_scale'
    return Numbers(
        (settings[name],) if one else tuple(settings[name]),
        *_ratios(settings['ratios']),
        lowest_ratio=1 / LARGEST_RATIO,
        pixels=float(generator.scales[0]) if name == 'base_sizes' else None,
        given=settings,
        write_sizes=lambda sizes: {name: sizes[0] if one else list(sizes)},
    )


def _ratios(
    ratios: Ratios,
) -> tuple[tuple[float, ...], Callable[[Sequence[float]], list]]:
    """Return ratios as one sequence, and a function that writes others likewise."""
    if not ratios or not isinstance(ratios[0], Sequence):
        return tuple(ratios), sorted
    ends = [sum(map(len, ratios[:count])) for count in range(len(ratios) + 1)]

    def regroup(flat: Sequence[float]) -> list[list[float]]:
        return [sorted(flat[start:end]) for start, end in pairwise(ends)]

    return tuple(ratio for group in ratios for ratio in group), regroup


def _given(settings: Settings, generator: Generator, name: str) -> Any:
    """Return a setting, or its default."""
    if name in settings:
        return settings[name]
    return inspect.signature(type(generator)).parameters[name].default


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


FORMS: dict[type, Callable[[Settings, Any], Numbers]] = {
    M2DetAnchorGenerator: _m2det,
    RefineDetAnchorGenerator: _refinedet,
    SSDAnchorGenerator: _ssd,
    AnchorGenerator: _mmdet,
}
