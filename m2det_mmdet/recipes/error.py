"""What keeps a config from data, a schedule or a size that it is given."""

from ..utils.errors import M2DetError


class RecipeError(M2DetError, ValueError):
    """One sentence: why a config cannot be trained on the data or with the budget."""
