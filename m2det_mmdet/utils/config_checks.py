"""Checks of what configs give to a module."""

from collections.abc import Mapping


def check_counts(smallest: int, **counts: object) -> None:
    """Raise where a number of channels, levels or classes is none.

    Args:
        smallest: What each must be at least.
        **counts: Numbers by the names that configs have for them.

    Raises:
        ValueError: If one is no whole number, or too small.
    """
    for name, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < smallest:
            raise ValueError(
                f'{name} must be a whole number from {smallest} on, got {count!r}.'
            )


def check_part(name: str, settings: object) -> None:
    """Raise where the config of a part of a module is none.

    Args:
        name: Key of the part.
        settings: What the key holds.

    Raises:
        ValueError: If it is no mapping, or has no ``type``.
    """
    if not isinstance(settings, Mapping) or 'type' not in settings:
        raise ValueError(
            f"{name} must be a dict with the key 'type', got {settings!r}."
        )
