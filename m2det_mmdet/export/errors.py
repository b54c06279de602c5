"""What can be wrong with an export or an exported file."""

from ..utils.errors import M2DetError


class ExportError(M2DetError):
    """A detector cannot be exported, or an exported file not be used."""
