"""Arguments that several subcommands share."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction

from ..utils.configs import config_name, load_config
from ..utils.errors import M2DetError


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


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``."""
    parser.add_argument(
        '--device', help='cpu, cuda, cuda:1, ...; the best there is by default'
    )


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
        cfg.work_dir = str(Path('work_dirs', config_name(cfg)))
    return cfg


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
                raise M2DetError(
                    f'--cfg-options takes KEY=VALUE pairs without white space, got '
                    f'{value!r}.'
                )
        super().__call__(parser, namespace, values, option_string)
