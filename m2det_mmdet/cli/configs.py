"""Finds, loads and amends configs for the subcommands."""

import argparse
import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any

from mmdet.registry import RUNNERS
from mmengine.config import Config, DictAction
from mmengine.hub import get_config
from mmengine.runner import Runner
from torch import nn

from ..engine.structure import build_structure
from .errors import UserError

_PACKAGE = Path(__file__).resolve().parent.parent
# In a wheel, and in the repository.
_ROOTS = (_PACKAGE / '.mim' / 'configs', _PACKAGE.parent / 'configs')
_SUFFIXES = ('.py', '.json', '.yml', '.yaml')
_EXAMPLE = 'm2det_vgg_320'
# Marks the copies of configs that a run leaves in its work folder.
_DUMP_SUFFIX = '_full'
# Other packages are left out: MMEngine would install them.
_EXTERNAL = 'mmdet::'


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that all commands with a config share."""
    parser.add_argument(
        'config', help='path of a config, or the name of one of m2det: m2det_vgg_320'
    )
    add_config_options(parser)


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=_CfgOptions,
        metavar='KEY=VALUE',
        help='override settings of the config: optim_wrapper.optimizer.lr=0.001; '
        'lists as key="[a,b]" or key=a,b, without white space',
    )


def add_launch_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of commands that build a runner, as mmdet's scripts do."""
    parser.add_argument(
        '--work-dir', help='folder of logs and checkpoints: work_dirs/CONFIG'
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='job launcher',
    )
    # `torch.distributed.launch` passes either spelling, according to its version.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def find_config(name: str) -> Path:
    """Path of a config named by its path, or one of ours by its name.

    Args:
        name: A path; or, as mim has it, the base name of one of our configs, with or
            without ``.py``, or its path in the repository.

    Raises:
        UserError: If there is no such config; names similar ones.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = shipped_configs()
    for stem, candidate in shipped.items():
        if name in (stem, candidate.name) or _is_tail(path, candidate):
            return candidate
    similar = difflib.get_close_matches(path.stem, shipped, n=3)
    hint = f'did you mean {" or ".join(similar)}?' if similar else _listing(shipped)
    raise UserError(f'There is no config {name}: {hint}')


def shipped_configs() -> dict[str, Path]:
    """Configs of this project that can be run, by the stem of their names."""
    return {path.stem: path for path in _shipped('*.py') if '_base_' not in path.parts}


def find_family(name: str) -> Path:
    """Metafile of the folder of configs ``name``: of ``m2det``, of ``ablation``.

    Raises:
        UserError: If no folder of that name has a metafile; names those that have.
    """
    families = {path.parent.name: path for path in _shipped('metafile.yml')}
    if name not in families:
        known = ', '.join(families) or 'none is installed'
        raise UserError(f'There is no family of configs {name}; there are: {known}.')
    return families[name]


def load_config(name: str, options: dict[str, Any] | None = None) -> Config:
    """Load a config and merge ``options`` into it.

    Raises:
        UserError: If there is no such config, it does not load, or an option does not
            fit it.
    """
    with _explained(name):
        cfg = _external(name) if name.startswith(_EXTERNAL) else _read(name)
    for key, value in (options or {}).items():
        try:
            cfg.merge_from_dict({key: value})
        except (KeyError, TypeError, AssertionError) as error:
            reason = shorten(str(error.args[0]), 120, placeholder=' ...')
            raise UserError(
                f'--cfg-options {key}={value} does not fit the config {name}: {reason}'
            ) from error
    return cfg


def _read(name: str) -> Config:
    path = find_config(name)
    if path.suffix not in _SUFFIXES:
        raise UserError(f'{name} is no config: its name would end in .py.')
    return Config.fromfile(path)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Say in one sentence why a config does not load, which is a program.

    Raises:
        UserError: In the place of any error.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        # A base that is missing names itself; a key error puts quotes around.
        reason = str(error.args[0]) if isinstance(error, KeyError) else str(error)
        advice = ''
        if 'Duplicate key' in reason:
            advice = ' (inherit from one of these bases, and change the rest here)'
        raise UserError(
            f'The config {name} does not load: {type(error).__name__}: '
            f'{shorten(reason, 300, placeholder=" ...")}{advice}'
        ) from error


def _external(name: str) -> Config:
    """Load a config of mmdet, as configs name them in ``_base_``."""
    try:
        return get_config(name)
    except (FileNotFoundError, ValueError) as error:
        raise UserError(
            f'There is no config {name}: mmdet has mmdet::retinanet/'
            'retinanet_r50_fpn_1x_coco.py, for example.'
        ) from error


def structure_of(cfg: Config) -> nn.Module:
    """Build the config's model without the values of its weights.

    Raises:
        UserError: If there is no model, or it does not build.
    """
    if 'model' not in cfg:
        raise UserError(f'{cfg.filename} has no model: give the config of a detector.')
    try:
        return build_structure(cfg)
    except Exception as error:
        raise UserError(
            f'The model of {cfg.filename} does not build: {error}'
        ) from error


def launch_config(args: argparse.Namespace) -> Config:
    """Load the config of a command that builds a runner.

    The work folder is that of the command line, else of the config, else
    ``work_dirs/<name of the config>``.
    """
    cfg = load_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs', _name(cfg)))
    return cfg


def build_runner(cfg: Config) -> Runner:
    """Build the runner, and rename the config that it leaves in the work folder.

    mim finds a config by its base name anywhere in the repository of an editable
    install and refuses to choose between two; a copy of the same name in the work
    folder would make the next call fail.
    """
    # Registered runners are those of mmdet's registry, as in its scripts.
    try:
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    except ValueError as error:
        # What our modules say of their arguments.
        raise UserError(f'{cfg.filename} does not build: {error}') from error
    config = Path(cfg.filename)
    dumped = Path(runner.work_dir, config.name)
    if runner.rank == 0 and dumped.is_file() and not dumped.samefile(config):
        dumped.replace(dumped.with_stem(f'{_name(cfg)}{_DUMP_SUFFIX}'))
    return runner


def check_checkpoint(name: str) -> None:
    """Stop where a checkpoint on disk does not exist.

    Raises:
        UserError: If ``name`` is no URL and no file.
    """
    if '://' not in name and not Path(name).expanduser().is_file():
        raise UserError(f'There is no checkpoint {name}: check the path.')


class _CfgOptions(DictAction):
    """mmengine's action, with one sentence for an option that is no pair."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        for value in values or ():
            if '=' not in value:
                raise UserError(
                    f'--cfg-options takes KEY=VALUE pairs without white space, got '
                    f'{value!r}.'
                )
        super().__call__(parser, namespace, values, option_string)


def _name(cfg: Config) -> str:
    return Path(cfg.filename).stem.removesuffix(_DUMP_SUFFIX)


def _shipped(pattern: str) -> list[Path]:
    """Files of this project's configs, by ``pattern`` of their names."""
    root = next((root for root in _ROOTS if root.is_dir()), None)
    return sorted(root.rglob(pattern)) if root else []


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
