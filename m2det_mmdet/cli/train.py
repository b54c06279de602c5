"""Train a detector.

m2det train --data DATA [CONFIG]   a detector of a folder of your own
m2det train CONFIG                 the detector and the data of a config

DATA is a folder in COCO's, VOC's or YOLO's form, or as a labelling tool leaves it, or a
data.yaml. It is checked first; classes, splits and schedule follow from it. Without
CONFIG a small detector is trained on a CPU, from weights of this package, and a large
one on a GPU. The run is in work_dirs/NAME.
"""

import argparse
import shlex
import sys
from typing import TYPE_CHECKING

from .arguments import (
    add_boundary_argument,
    add_config_options,
    add_device_argument,
    add_form_argument,
    add_launch_arguments,
    at_least,
    config_options,
    data_path,
)

if TYPE_CHECKING:
    from ..engine.interruption import TrainingInterrupted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of mmdet's ``train.py``, and those that people look for."""
    parser.add_argument(
        'config',
        nargs='?',
        help='path of a config, the name of one of m2det (m2det_vgg_320), or '
        'mmdet::FOLDER/NAME.py',
    )
    add_config_options(parser)
    _add_data_arguments(parser)
    _add_common_arguments(parser)
    add_launch_arguments(parser)
    add_device_argument(parser)
    parser.add_argument(
        '--amp', action='store_true', help='train in automatic mixed precision on a GPU'
    )
    parser.add_argument(
        '--amp-dtype',
        choices=['float16', 'bfloat16'],
        help="--amp in this precision (default: the config's, else float16)",
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the total batch size',
    )
    parser.add_argument(
        '--no-report',
        dest='report',
        action='store_false',
        help='write no page on the detector at the end (report.html)',
    )
    add_form_argument(
        parser,
        'safetensors: at the end also write best.safetensors, the weights of the best '
        'checkpoint alone, with classes and config (default: pth, checkpoints alone)',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from a checkpoint, by default the newest in the work folder',
    )
    parser.add_argument(
        '--force',
        action='store_true',
        help='delete the checkpoints of an earlier training in the work folder; not '
        'with --data',
    )


def run(args: argparse.Namespace) -> int:
    """Train as the arguments say; show progress, result and the next command."""
    from mmengine.dist import is_main_process

    from ..engine.interruption import TrainingInterrupted

    try:
        _train(args)
    except TrainingInterrupted as interrupted:
        if is_main_process():
            print(_how_to_go_on(args, interrupted), file=sys.stderr)
        # What a shell makes of a process that a signal has ended.
        return 128 + interrupted.number
    return 0


def _train(args: argparse.Namespace) -> None:
    from mmengine.dist import is_main_process

    from ..apis import train
    from .console import TrainingConsole

    # What was trained is then the config in the work folder.
    changed = args.data is not None or args.cfg_options or args.image_size
    with TrainingConsole(None if changed else args.config) as console:
        result = train(
            args.config,
            data=args.data,
            check_images=args.check_images,
            name=args.name,
            start=args.start,
            epochs=args.epochs,
            batch_size=args.batch_size,
            image_size=args.image_size,
            seed=args.seed,
            patience=args.patience,
            freeze=args.freeze,
            loggers=args.logger,
            deterministic=args.deterministic,
            unreadable=args.unreadable,
            allow_outside=args.allow_outside,
            device=args.device,
            work_dir=args.work_dir,
            # mmdet spells it so.
            resume=True if args.resume == 'auto' else args.resume or False,
            force=args.force,
            amp=args.amp,
            amp_dtype=args.amp_dtype,
            auto_scale_lr=args.auto_scale_lr,
            launcher=args.launcher,
            report=args.report,
            form=args.form,
            options=config_options(args.cfg_options),
            on_event=console.show,
        )
        if is_main_process():
            console.close(result)


def _how_to_go_on(args: argparse.Namespace, interrupted: 'TrainingInterrupted') -> str:
    """Say what is kept of an interrupted training, and the command that goes on."""
    if interrupted.checkpoint is None:
        return f'm2det train: {interrupted}.'
    # A run on own data goes on as it began, in the folder that was chosen for it.
    command = 'the same command with --resume at its end'
    if args.resume not in (None, 'auto'):
        command = f'the same command with --resume alone, without {args.resume}'
    if args.data is not None:
        run = interrupted.checkpoint.parent
        words = ['m2det', 'train', '--data', str(args.data), '--work-dir', str(run)]
        if args.device is not None:
            words += ['--device', args.device]
        if not args.report:
            words.append('--no-report')
        command = f'`{shlex.join(words)} --resume`'
        if args.launcher != 'none':
            command += f', by the launcher and with --launcher {args.launcher}'
    return f'm2det train: {interrupted}. To go on: {command}.'


def _add_data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--data', type=data_path, help='train on this folder, or data.yaml'
    )
    parser.add_argument(
        '--name', help='name of the run, with --data (default: that of the folder)'
    )
    parser.add_argument(
        '--check-images',
        action='store_true',
        help='read each image of --data whole before; else their headers',
    )
    add_boundary_argument(parser)


def _add_common_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--from',
        dest='start',
        metavar='WEIGHTS',
        help='checkpoint, or name that `m2det zoo` lists, to start from; what belongs '
        'to other classes is left out',
    )
    parser.add_argument(
        '--epochs',
        type=at_least(1),
        help='passes over the training images; the schedule is scaled',
    )
    parser.add_argument(
        '--batch-size',
        type=_batch_size,
        metavar='N',
        help='images a batch, or auto: as many as a GPU holds',
    )
    parser.add_argument(
        '--image-size',
        type=at_least(32),
        metavar='PIXELS',
        help='shorter side of the images',
    )
    parser.add_argument(
        '--seed', type=at_least(0), help='of weights, order, augmentation and split'
    )
    parser.add_argument(
        '--deterministic',
        action='store_true',
        help='the same weights each time, on the same machine; slower on a GPU',
    )
    parser.add_argument(
        '--patience',
        type=at_least(1),
        metavar='N',
        help='end after N validations without a better AP',
    )
    parser.add_argument(
        '--freeze',
        nargs='+',
        default=[],
        metavar='MODULE',
        help='parts that do not learn: backbone, neck',
    )
    parser.add_argument(
        '--logger',
        nargs='+',
        default=[],
        choices=['tensorboard', 'wandb', 'mlflow', 'csv'],
        help='where figures go besides the log',
    )
    parser.add_argument(
        '--unreadable',
        choices=['stop', 'skip'],
        help='what becomes of images to learn from that cannot be read (default: stop)',
    )


def _batch_size(text: str) -> int | str:
    return text if text == 'auto' else at_least(1)(text)
