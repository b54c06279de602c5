"""What the result of a run depends on, and how two of them differ."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from .error import ComparisonError

# They change how fast a run is, not what it finds.
_SPEED_ALONE = ('num_workers', 'persistent_workers', 'prefetch_factor', 'pin_memory')
_SHOWN = 60  # characters of a value
# Stands for the path of annotations, whose content counts.
_ANNOTATIONS = '(annotations)'


def settings_of(cfg: Config, ann_files: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """Return what a result depends on, as values that JSON has.

    Args:
        cfg: The config that is trained.
        ann_files: Annotations of each loader, whose content counts in the place of
            their paths: converted ones move with their folder.

    Raises:
        ComparisonError: If one of them cannot be read.
    """
    names = {name for files in ann_files.values() for name in files}
    config = json.loads(json.dumps(cfg.to_dict(), default=str))
    content = {key: [_digest(name) for name in ann_files[key]] for key in ann_files}
    return {'config': _kept(config, names), 'annotations': content}


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """List what differs between two settings, as ``key: old, now new``.

    Of annotations, which are digests here, it says that they differ.
    """
    before, now = (dict(_flat('', settings)) for settings in (old, new))
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    found = (_difference(key, before, now) for key in sorted(keys))
    return list(dict.fromkeys(found))


def _difference(key: str, before: dict[str, Any], now: dict[str, Any]) -> str:
    part, _, rest = key.partition('.')
    if part == 'annotations':
        return f'the annotations to {rest.partition(".")[0]} on have another content'
    name = rest if part == 'config' else key
    return f'{name}: {_shown(before, key)}, now {_shown(now, key)}'


def _digest(name: str) -> str:
    try:
        content = Path(name).read_bytes()
    except OSError as error:
        raise ComparisonError(
            f'The annotations {name} cannot be read ({error.strerror}): check '
            'data_root and ann_file, or give --data.'
        ) from error
    return hashlib.sha256(content).hexdigest()[:16]


def _kept(value: Any, names: set[str]) -> Any:
    """Copy nested values without keys of speed and the paths of annotations."""
    if isinstance(value, dict):
        return {
            key: _kept(item, names)
            for key, item in value.items()
            if key not in _SPEED_ALONE
        }
    if isinstance(value, list):
        return [_kept(item, names) for item in value]
    return _ANNOTATIONS if isinstance(value, str) and value in names else value


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
