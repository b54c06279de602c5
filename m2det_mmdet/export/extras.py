"""Packages that only an export needs."""

from importlib.util import find_spec

from .errors import ExportError


def needs(*packages: str, extra: str) -> None:
    """Stop where a package is missing.

    Args:
        packages: Names to import.
        extra: The extra of this package that installs them.

    Raises:
        ExportError: One sentence that names the command to install them.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise ExportError(
            f'{" and ".join(missing)} must be installed: pip install "m2det[{extra}]".'
        )
