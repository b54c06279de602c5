"""What keeps a config out of a comparison."""


class ComparisonError(ValueError):
    """One sentence: why a config cannot be trained on the data or with the budget."""
