"""Looks for settings of an optimizer with which no training can succeed."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mmengine.config import Config

from ..utils.errors import M2DetError
from ..utils.texts import shown


class _Range(NamedTuple):
    """The values that a setting may have, all but the infinite.

    Attributes:
        words: The same for a person.
        lowest: The lowest value.
        is_allowed: Whether that itself is one.
        below: What all values are below.
    """

    words: str
    lowest: float = -math.inf
    is_allowed: bool = True
    below: float = math.inf

    def has(self, value: float) -> bool:
        """Whether a value is one of them."""
        if not math.isfinite(value) or value >= self.below:
            return False
        return value > self.lowest or (self.is_allowed and value == self.lowest)


_POSITIVE = _Range('a number above 0', 0, is_allowed=False)
_NOT_NEGATIVE = _Range('a number of at least 0', 0)
_FRACTION = _Range('a number from 0 to below 1', 0, below=1)
_FINITE = _Range('a finite number')
_RANGES = {
    'lr': _POSITIVE,
    'max_norm': _POSITIVE,
    'clip_value': _POSITIVE,
    'loss_scale': _POSITIVE,
    'momentum': _FRACTION,
    'betas': _FRACTION,
    'alpha': _FRACTION,
    'eps': _NOT_NEGATIVE,
    'weight_decay': _NOT_NEGATIVE,
    'lr_mult': _NOT_NEGATIVE,
    'decay_mult': _NOT_NEGATIVE,
    'bias_lr_mult': _NOT_NEGATIVE,
    'start_factor': _NOT_NEGATIVE,
    'end_factor': _NOT_NEGATIVE,
    'factor': _NOT_NEGATIVE,
    'gamma': _NOT_NEGATIVE,
    'eta_min': _NOT_NEGATIVE,
    'eta_max': _NOT_NEGATIVE,
}
# Settings that are numbers, and never text.
_NUMBERS = ('lr', 'max_norm', 'clip_value', 'momentum', 'weight_decay')
# The norm of the largest value is that of infinity.
_ANY = ('norm_type',)


def check_rates(cfg: Config) -> None:
    """Stop before a training whose learning rate or the like is no sound number.

    All numbers of ``optim_wrapper`` and ``param_scheduler`` have to be finite, and
    those whose range is known in it: PyTorch takes a rate of NaN, and clips gradients
    to a negative norm.

    Args:
        cfg: The config.

    Raises:
        M2DetError: One sentence with the setting, its value and the range.
    """
    for section in ('optim_wrapper', 'param_scheduler'):
        for key, place, value in _values(section, section, cfg.get(section)):
            expected = _RANGES.get(key, _FINITE)
            is_text = isinstance(value, str) and key in _NUMBERS
            if is_text or not (isinstance(value, str) or expected.has(value)):
                raise M2DetError(
                    f'{place} must be {expected.words}, got {shown(value)}.'
                )


def _values(key: str, place: str, value: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield numbers and texts of settings with their keys and their places."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _values(name, f'{place}.{name}', inner)
    elif isinstance(value, str):
        yield key, place, value
    elif isinstance(value, Sequence):
        for index, inner in enumerate(value):
            yield from _values(key, f'{place}[{index}]', inner)
    elif (
        isinstance(value, (int, float)) and type(value) is not bool and key not in _ANY
    ):
        yield key, place, value
