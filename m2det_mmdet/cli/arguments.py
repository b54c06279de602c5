"""Arguments that several subcommands share, and types of their values."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..utils.errors import M2DetError


def data_path(text: str) -> Path:
    """Type of an argument that names data.

    Raises:
        argparse.ArgumentTypeError: If it is empty, as a variable of the shell that is
            not set; a path would take it for the folder of the command.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError('is empty: give a folder (. is this one)')
    return Path(text)


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that all commands with a config share."""
    parser.add_argument(
        'config',
        help='path of a config, the name of one of m2det (m2det_vgg_320), or '
        'mmdet::FOLDER/NAME.py',
    )
    add_config_options(parser)


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        type=_setting,
        action='extend',
        metavar='KEY=VALUE',
        help='override settings of the config: optim_wrapper.optimizer.lr=0.001; '
        'lists as key="[a,b]" or key=a,b, without white space',
    )


def add_boundary_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--allow-outside``."""
    parser.add_argument(
        '--allow-outside',
        action='store_true',
        help='images of --data may lie outside of it, as links or names with .. say',
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


def add_engine_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the options of subcommands that do many jobs.

    Args:
        parser: Of the subcommand.
        what: What a job is, in the plural.
    """
    parser.add_argument(
        '--jobs',
        type=at_least(1),
        metavar='N',
        help=f'{what} at a time, each with a GPU of its own where there are any '
        '(default: 1; with Ray as many as there is room for)',
    )
    parser.add_argument(
        '--engine',
        choices=['local', 'ray'],
        default='local',
        help=f'local: processes of this machine; ray: {what} are tasks of Ray, on this '
        'machine or a cluster',
    )
    parser.add_argument(
        '--ray-address',
        metavar='HOST:PORT',
        help='the cluster of --engine ray; by default that of RAY_ADDRESS, else the '
        'Ray of this machine, which is started where there is none',
    )
    parser.add_argument(
        '--job-cpus',
        type=at_least(1),
        metavar='N',
        help='threads of each job, and the CPUs that it takes of Ray',
    )


def engine_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the values of these options as the functions of ``apis`` have them."""
    names = ('engine', 'jobs', 'ray_address', 'job_cpus')
    return {name: getattr(args, name) for name in names}


def add_acceleration_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of subcommands that run a network faster."""
    parser.add_argument(
        '--fast',
        action='store_true',
        help='fold batch norms into convolutions and store weights channels last',
    )
    parser.add_argument(
        '--compile',
        action='store_true',
        help='compile the network at the first image of each size; '
        'on a CPU it needs a C++ compiler',
    )
    parser.add_argument(
        '--autocast',
        choices=['bfloat16', 'float16'],
        help='lower precision inside the network; '
        'slow on a device without instructions for it',
    )


def add_runtime_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of subcommands that run exported files."""
    parser.add_argument(
        '--threads',
        type=at_least(1),
        metavar='N',
        help='threads of a CPU that run an exported file; as many as it has cores by '
        'default',
    )
    parser.add_argument(
        '--provider',
        metavar='NAME',
        help='what runs an exported file: of onnxruntime cpu, cuda or tensorrt, of '
        'OpenVINO one of its devices (cpu, gpu)',
    )


def at_least(lowest: int) -> Callable[[str], int]:
    """Return a type of whole numbers from ``lowest`` on."""

    def whole_number(text: str) -> int:
        try:
            number = int(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(
                f'must be a whole number, got {text}'
            ) from error
        if number < lowest:
            raise argparse.ArgumentTypeError(f'must be at least {lowest}, got {text}')
        return number

    return whole_number


def positive(text: str) -> float:
    """Read a positive, finite number."""
    number = _number(text)
    if not 0 < number < float('inf'):
        raise argparse.ArgumentTypeError(f'must be positive, got {text}')
    return number


def fraction(text: str) -> float:
    """Read a number from 0 to 1."""
    number = _number(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f'must be from 0 to 1, got {text}')
    return number


def add_form_argument(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the option for the form of the weights that are written.

    Args:
        parser: The parser.
        what: What is written in which form, for the help.
    """
    parser.add_argument(
        '--format', dest='form', choices=['pth', 'safetensors'], help=what
    )


def config_options(pairs: list[str] | None) -> dict[str, Any]:
    """Read the values of ``--cfg-options`` as MMEngine does."""
    from mmengine.config import DictAction

    read = argparse.Namespace(options={})
    try:
        DictAction([], 'options')(None, read, pairs)
    except AssertionError as error:
        raise M2DetError(f'--cfg-options cannot be read: {error}.') from error
    return read.options


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float('nan')


def _setting(text: str) -> str:
    if '=' not in text:
        raise argparse.ArgumentTypeError(
            f'takes KEY=VALUE pairs without white space, got {text!r}'
        )
    return text
