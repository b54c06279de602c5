"""What keeps a config out of a comparison."""

from ..utils.errors import M2DetError


class ComparisonError(M2DetError, ValueError):
    """One sentence: why a config cannot be trained on the data or with the budget."""
