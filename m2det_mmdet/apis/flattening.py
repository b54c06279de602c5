"""Write a config with all that it inherits."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..utils.configs import describe, load_config
from ..utils.errors import M2DetError, explain, our_errors
from ..utils.logs import quiet_log


@our_errors()
def flatten(
    config: str | Path | Config, *, options: Mapping[str, Any] | None = None
) -> str:
    """Return a config as one text, which inherits from nothing.

    Saved under a name that ends in ``.py`` it is the same config in any folder, and for
    any tool of MMDetection.

    Args:
        config: Path or name of a config, or the config.
        options: Settings of the config to override, by their dotted keys.

    Raises:
        M2DetError: If the config does not load, or holds what MMEngine cannot write: a
            function, a class, an infinite number.
    """
    quiet_log()
    cfg = load_config(config, options)
    try:
        text = cfg.pretty_text
        again = Config.fromstring(text, '.py')
    except Exception as error:
        raise M2DetError(
            f'{describe(cfg)} cannot be written as a text: {explain(error)}'
        ) from error
    before, after = cfg.to_dict(), again.to_dict()
    if before != after:
        raise M2DetError(
            f'{describe(cfg)} cannot be written as a text: '
            f'{_difference(before, after)} would change.'
        )
    return text


def _difference(one: Any, other: Any, *keys: str) -> str:
    """Return the dotted key of the first of two unequal values that differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in (*one, *other):
            if one.get(key) != other.get(key):
                return _difference(one.get(key), other.get(key), *keys, str(key))
    return '.'.join(keys)
