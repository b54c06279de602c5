"""The options of a call of soft-NMS."""

import math
from dataclasses import dataclass
from numbers import Integral, Real

# mmcv's compiled operator numbers them in this order.
METHODS = ('naive', 'linear', 'gaussian')
VARIANTS = ('mmcv', 'original')


@dataclass(frozen=True)
class Settings:
    """Options of soft-NMS that all kernels share, checked.

    Args:
        iou_threshold: Overlap from which ``naive`` and ``linear`` act.
        sigma: Width of ``gaussian``.
        min_score: Boxes that fall below it are dropped.
        method: One of :data:`METHODS`.
        offset: Added to widths and heights.
        variant: One of :data:`VARIANTS`.
        max_per_class: Most boxes of each class; no limit if it is not positive.

    Raises:
        ValueError: If ``method`` or ``variant`` is unknown, another option is not a
            number, ``iou_threshold`` is not in 0..1, ``sigma`` is not positive,
            ``min_score`` is negative, or a limit is not a whole number.
    """

    iou_threshold: float = 0.3
    sigma: float = 0.5
    min_score: float = 1e-3
    method: str = 'linear'
    offset: float = 0
    variant: str = 'mmcv'
    max_per_class: int = -1

    def __post_init__(self) -> None:
        check_choice('method', self.method, METHODS)
        check_choice('variant', self.variant, VARIANTS)
        for name in ('iou_threshold', 'sigma', 'min_score', 'offset'):
            check_number(name, getattr(self, name))
        if not 0 <= self.iou_threshold <= 1:
            raise ValueError(
                f'iou_threshold must be from 0 to 1, got {self.iou_threshold}.'
            )
        if self.min_score < 0:
            raise ValueError(f'min_score must not be negative, got {self.min_score}.')
        if self.sigma <= 0:
            raise ValueError(f'sigma must be positive, got {self.sigma}.')
        check_limit('max_per_class', self.max_per_class)

    @property
    def code(self) -> int:
        """Number of the method."""
        return METHODS.index(self.method)

    @property
    def original(self) -> bool:
        """Whether the rules are those of Soft-NMS's authors."""
        return self.variant == 'original'

    def room(self, length: int) -> int:
        """Most boxes of a class that may be picked from ``length`` boxes."""
        limit = int(self.max_per_class)
        return min(length, limit) if limit > 0 else length


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ``ValueError`` if ``value`` is not one of ``choices``."""
    if value not in choices:
        raise ValueError(f'{name} must be one of {choices}, got {value!r}.')


def check_number(name: str, number: float) -> None:
    """Raise ``ValueError`` if ``number`` is not a number."""
    if not isinstance(number, Real) or math.isnan(number):
        raise ValueError(f'{name} must be a number, got {number!r}.')


def check_limit(name: str, limit: int) -> int:
    """Return ``limit``, or raise ``ValueError`` if it is not a whole number."""
    if not isinstance(limit, Integral) or isinstance(limit, bool):
        raise ValueError(f'{name} must be a whole number, got {limit!r}.')
    # Triton does not accept NumPy's integers.
    return int(limit)
