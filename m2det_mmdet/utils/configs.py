"""Finds, loads and amends configs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hub import get_config

from .arguments import check_mapping
from .builds import did_you_mean, did_you_mean_file
from .errors import M2DetError, explain
from .settings import amend

_PACKAGE = Path(__file__).resolve().parent.parent
# In a wheel, and in the repository.
_ROOTS = (_PACKAGE / '.mim' / 'configs', _PACKAGE.parent / 'configs')
SUFFIXES = ('.py', '.json', '.yml', '.yaml')
_WEIGHTS = ('.pth', '.pt', '.safetensors')
_EXAMPLE = 'm2det_vgg_320'
# Marks the copies of configs that a run leaves in its work folder.
DUMP_SUFFIX = '_full'
# Other packages are left out: MMEngine would install them.
_EXTERNAL = 'mmdet::'
# How configs and commands name ours, from any folder.
SCOPE = 'm2det::'


def find_config(name: str) -> Path:
    """Path of a config named by its path, or one of ours by its name.

    Args:
        name: A path; ``m2det::FOLDER/NAME.py``; or, as mim has it, the base name of one
            of our configs, with or without ``.py``, or its path in the repository.

    Raises:
        M2DetError: If there is no such config; names similar ones.
    """
    if name.startswith(SCOPE):
        return _find_scoped(name)
    path = Path(name)
    if path.is_file():
        return path
    shipped = shipped_configs()
    for stem, candidate in shipped.items():
        if name in (stem, candidate.name) or _is_tail(path, candidate):
            return candidate
    raise M2DetError(_no_config(name, path, shipped))


def _no_config(name: str, path: Path, shipped: dict[str, Path]) -> str:
    if name and path.is_dir():
        return (
            f'{name} is a folder: name a config (.py) in it; to train on data, '
            'give them by --data.'
        )
    hint = did_you_mean(path.stem, sorted(shipped))
    if path.name != name and path.parent.is_dir():
        hint = did_you_mean_file(path) or hint
    return f'There is no config {name}: {hint or _listing(shipped)}'


def _find_scoped(name: str) -> Path:
    """Path of a config of ours, or of a base of them, that its folder is named with."""
    scoped = {
        SCOPE + path.relative_to(_root()).as_posix(): path for path in _shipped('*.py')
    }
    if name not in scoped:
        hint = did_you_mean(name, sorted(scoped)) or f'as {SCOPE}m2det/{_EXAMPLE}.py.'
        raise M2DetError(f'There is no config {name}: {hint}')
    return scoped[name]


def scoped_name(path: Path) -> str | None:
    """Name by which a config in any folder inherits from one of ours.

    Args:
        path: A config, absolute and without links.

    Returns:
        ``m2det::FOLDER/NAME.py``; ``None`` for a config of others.
    """
    root = _root()
    if root is None or not path.is_relative_to(root.resolve()):
        return None
    return SCOPE + path.relative_to(root.resolve()).as_posix()


def shipped_configs() -> dict[str, Path]:
    """Configs of this project that can be run, by the stem of their names."""
    return {path.stem: path for path in _shipped('*.py') if '_base_' not in path.parts}


def find_family(name: str) -> Path:
    """Metafile of the folder of configs ``name``: of ``m2det``, of ``ablation``.

    Raises:
        M2DetError: If no folder of that name has a metafile; names those that have.
    """
    families = {path.parent.name: path for path in _shipped('metafile.yml')}
    if name not in families:
        known = ', '.join(families) or 'none is installed'
        raise M2DetError(f'There is no family of configs {name}; there are: {known}.')
    return families[name]


def load_config(
    config: str | Path | Config, options: Mapping[str, Any] | None = None
) -> Config:
    """Load a config and merge ``options`` into it.

    Args:
        config: A path; the name of one of our configs, also as
            ``m2det::FOLDER/NAME.py``; ``mmdet::FOLDER/NAME.py``; or a config, of which
            a copy is amended.
        options: Settings by their dotted keys.

    Raises:
        M2DetError: If there is no such config, it does not load, or an option does not
            fit it or would change nothing.
    """
    check_mapping('options', options)
    if isinstance(config, Config):
        cfg, name = deepcopy(config), describe(config)
    else:
        name = str(config)
        with _explained(name):
            cfg = _external(name) if name.startswith(_EXTERNAL) else _read(name)
    amend(cfg, options or {}, name)
    return cfg


def _read(name: str) -> Config:
    path = find_config(name)
    if path.suffix not in SUFFIXES:
        order = ' (the config comes first)' if path.suffix in _WEIGHTS else ''
        raise M2DetError(f'{name} is no config: its name would end in .py{order}.')
    return Config.fromfile(path)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Say in one sentence why a config does not load, which is a program.

    Raises:
        M2DetError: In the place of any error.
    """
    try:
        yield
    except M2DetError:
        raise
    # A config may also call `sys.exit`.
    except (Exception, SystemExit) as error:
        advice = ''
        if 'Duplicate key' in str(error):
            advice = '; inherit from one of these bases, and change the rest here'
        raise M2DetError(
            f'The config {name} does not load: {explain(error)}{advice}'
        ) from error


def _external(name: str) -> Config:
    """Load a config of mmdet, as configs name them in ``_base_``."""
    try:
        return get_config(name)
    except (FileNotFoundError, ValueError) as error:
        raise M2DetError(
            f'There is no config {name}: mmdet has mmdet::retinanet/'
            'retinanet_r50_fpn_1x_coco.py, for example.'
        ) from error


def config_name(cfg: Config) -> str:
    """Name of a config.

    Of a copy that a run has left it is that of the original; of a ``config.py``, which
    each run on own data has, that of its folder.
    """
    if is_of_run(cfg):
        return Path(cfg.filename).resolve().parent.name
    return Path(cfg.filename or 'config').stem.removesuffix(DUMP_SUFFIX)


def is_of_run(cfg: Config) -> bool:
    """Whether a config is a ``config.py``, as each run on own data has one."""
    return Path(cfg.filename or '').name == 'config.py'


def describe(cfg: Config) -> str:
    """Path of a config; words for one that no file holds."""
    return str(cfg.filename or 'The given config')


def _shipped(pattern: str) -> list[Path]:
    """Files of this project's configs, by ``pattern`` of their names."""
    root = _root()
    return sorted(root.rglob(pattern)) if root else []


def _root() -> Path | None:
    """Folder of this project's configs; ``None`` where there are none."""
    return next((root for root in _ROOTS if root.is_dir()), None)


def _is_tail(path: Path, candidate: Path) -> bool:
    """Whether ``path`` is ``configs/<folders>/<name>.py`` of ``candidate``."""
    length = len(path.parts)
    return path.parts[:1] == ('configs',) and candidate.parts[-length:] == path.parts


def _listing(shipped: dict[str, Path]) -> str:
    """Advice that names an example, and the folders where there are more."""
    if not shipped:
        return 'give the path of a config.'
    folders = ', '.join(sorted({path.parent.name for path in shipped.values()}))
    return (
        f'give a path, or a name as {_EXAMPLE}; there are configs in the folders '
        f'{folders}.'
    )
