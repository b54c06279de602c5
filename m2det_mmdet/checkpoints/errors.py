"""What is raised of a checkpoint that must not be used."""

from ..utils.errors import M2DetError


class CheckpointError(M2DetError, RuntimeError):
    """A file cannot, or must not, be loaded as a checkpoint."""


class UnresumableError(CheckpointError):
    """A training cannot go on from a checkpoint, for a part of it is strange.

    Args:
        part: Name of the part, by dots.
        problem: What it is, as ``3.5`` or ``of shape (2, 3)``.
    """

    def __init__(self, part: str, problem: str) -> None:
        super().__init__(
            f'A training cannot go on from this checkpoint: its {part} is {problem}; '
            'take another one.'
        )


class Refusal(Exception):
    """Why the content of a file is refused; the loader adds the file's name."""
