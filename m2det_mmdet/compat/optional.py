"""Packages that only a part needs, and that import torchvision."""

from importlib import import_module
from types import ModuleType

from ..utils.errors import clause_of
from .environment import PackagesError


def import_optional(module: str, *, package: str, extra: str, user: str) -> ModuleType:
    """Import a package that may not be there.

    Args:
        module: Name under which it is imported.
        package: Name under which it is known.
        extra: Of this package, the one that installs it.
        user: What needs it, the beginning of the sentence.

    Raises:
        PackagesError: If it is not there, or fails; one sentence on what to install.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise PackagesError(
            f'{user} needs {package}, and {error.name} is not installed: '
            f'`pip install "m2det[{extra}]"`.'
        ) from error
    except (ImportError, OSError, RuntimeError) as error:
        raise PackagesError(
            f'{user} needs {package}, which cannot be imported ({clause_of(error)}): '
            'install the torchvision that was built for this PyTorch, from the index '
            'that PyTorch came from.'
        ) from error
