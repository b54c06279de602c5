"""Which classes count, and from which score on."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..utils.arguments import check_mapping, texts_of
from ..utils.builds import did_you_mean
from ..utils.errors import M2DetError
from .checks import check_fraction

_LISTED = 20
# As results are written: what is 0.3 there is 0.3 everywhere.
_DECIMALS = 5


class ClassChoice:
    """The classes of a detector that count, each from a score of its own on.

    Args:
        classes: All classes of the detector.
        score_thr: Lowest score.
        class_score_thr: Lowest scores of single classes, by their names.
        chosen: The classes that count; all by default.

    Raises:
        M2DetError: One sentence on a score that is not from 0 to 1, or a class that the
            detector does not have.
    """

    def __init__(
        self,
        classes: Sequence[str],
        score_thr: float,
        class_score_thr: Mapping[str, float] | None = None,
        chosen: Sequence[str] | None = None,
    ) -> None:
        check_fraction('score_thr', score_thr)
        check_mapping('class_score_thr', class_score_thr)
        self.classes = tuple(classes)
        self._lowest = np.full(len(classes), score_thr)
        for name, lowest in (class_score_thr or {}).items():
            check_fraction(f'score_thr of {name}', lowest)
            self._lowest[place_of(name, classes)] = lowest
        self._is_chosen = np.full(len(classes), chosen is None)
        for name in () if chosen is None else texts_of('classes', chosen):
            self._is_chosen[place_of(name, classes)] = True

    def chosen(self, labels: np.ndarray) -> np.ndarray:
        """Whether objects are of the classes that count: bool, as many as labels."""
        return self._is_chosen[labels]

    def counted(self, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Whether objects count: bool, as many as labels."""
        # In double precision, where 0.3 is the 0.3 of the results.
        rounded = scores.astype(float).round(_DECIMALS)
        return self.chosen(labels) & (rounded >= self._lowest[labels])

    def lowest(self) -> dict[str, float]:
        """Lowest score of each class, by its name."""
        return dict(zip(self.classes, self._lowest.tolist(), strict=True))


def place_of(name: str, classes: Sequence[str]) -> int:
    """Return the place of a class in those of a detector.

    Raises:
        M2DetError: If the detector does not have it; one sentence with what is similar.
    """
    if name not in classes:
        listed = ', '.join(classes[:_LISTED])
        more = len(classes) - _LISTED
        rest = f' and {more} more' if more > 0 else ''
        hint = did_you_mean(name, [*classes]) or f'it has {listed}{rest}.'
        raise M2DetError(f'The detector has no class {name}: {hint}')
    return classes.index(name)
