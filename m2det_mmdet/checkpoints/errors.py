"""What is raised of a checkpoint that must not be used."""

from ..utils.errors import M2DetError


class CheckpointError(M2DetError, RuntimeError):
    """A file cannot, or must not, be loaded as a checkpoint."""


class Refusal(Exception):
    """Why the content of a file is refused; the loader adds the file's name."""
