"""Packages that only a part needs."""

from importlib import import_module
from types import ModuleType

from ..utils.errors import clause_of
from .environment import PackagesError

_TORCHVISION = (
    'install the torchvision that was built for this PyTorch, from the index that '
    'PyTorch came from.'
)


def import_optional(
    module: str, *, package: str, extra: str, user: str, mend: str = _TORCHVISION
) -> ModuleType:
    """Import a package that may not be there.

    Args:
        module: Name under which it is imported.
        package: Name under which it is known.
        extra: Of this package, the one that installs it.
        user: What needs it, the beginning of the sentence.
        mend: What to do where it cannot be imported, the end of the sentence; by
            default what helps a package that imports torchvision.

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
            f'{mend}'
        ) from error
