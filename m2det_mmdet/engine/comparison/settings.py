"""What the result of a run depends on, and how two of them differ."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmengine.config import Config

from .error import ComparisonError

# They change how fast a run is, not what it finds.
_SPEED_ALONE = ('num_workers', 'persistent_workers', 'prefetch_factor', 'pin_memory')
_SHOWN = 60  # characters of a value


def settings_of(cfg: Config, ann_files: Iterable[str]) -> dict[str, Any]:
    """Return what a result depends on, as values that JSON has.

    Args:
        cfg: The config that is trained.
        ann_files: Annotations whose content counts too, not their names alone.

    Raises:
        ComparisonError: If one of them cannot be read.
    """
    content = {name: _digest(name) for name in sorted(set(ann_files))}
    config = json.loads(json.dumps(cfg.to_dict(), default=str))
    return {'config': _kept(config), 'annotations': content}


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """List what differs between two settings, as ``key: old, now new``."""
    before, now = (dict(_flat('', settings)) for settings in (old, new))
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    return [
        f'{key.removeprefix("config.")}: {_shown(before, key)}, now {_shown(now, key)}'
        for key in sorted(keys)
    ]


def _digest(name: str) -> str:
    try:
        content = Path(name).read_bytes()
    except OSError as error:
        raise ComparisonError(
            f'The annotations {name} cannot be read ({error.strerror}): check '
            'data_root and ann_file, or give --data.'
        ) from error
    return hashlib.sha256(content).hexdigest()[:16]


def _kept(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _kept(item) for key, item in value.items() if key not in _SPEED_ALONE
        }
    return [_kept(item) for item in value] if isinstance(value, list) else value


def _flat(prefix: str, value: Any) -> Iterable[tuple[str, Any]]:
    """Yield the leaves of nested dicts and lists by their dotted keys."""
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _flat(f'{prefix}.{key}' if prefix else str(key), item)
    else:
        yield prefix, value


def _shown(values: dict[str, Any], key: str) -> str:
    if key not in values:
        return 'absent'
    text = str(values[key])
    return text if len(text) <= _SHOWN else f'{text[:_SHOWN]}...'
