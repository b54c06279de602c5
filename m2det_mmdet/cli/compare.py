"""Train detectors on the same data with the same budget, and compare them.

m2det compare CONFIG [CONFIG ...] --data DATA --out OUT (--epochs N | --minutes M)

DATA is a folder in COCO's, VOC's or YOLO's form; without it all configs must name the
same data. Each config and seed is trained, evaluated and timed in its own process. The
table in OUT/comparison.md is written anew after every run, the pictures at the end. The
same command goes on where an earlier one was stopped, and tries again what failed.
"""

import argparse
import io
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger

from ..comparison import annotation_files
from ..comparison.plan import Plan, check_same_data, is_ready, load_configs, plan_runs
from ..comparison.report import Comparison, draw_report, write_report
from ..comparison.run import Run, RunError, check_changes, locked
from ..datasets.layouts import DataLayout, read_layout
from ..utils.errors import M2DetError
from ..utils.files import check_output
from .arguments import add_config_options

_TABLE = 'comparison.md'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        'configs',
        nargs='+',
        metavar='CONFIG',
        help='path of a config, the name of one of m2det, or mmdet::FOLDER/NAME.py',
    )
    parser.add_argument(
        '--data', type=Path, help="folder of the data; the configs' own by default"
    )
    parser.add_argument('--out', type=Path, required=True, help='folder of the results')
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument('--epochs', type=int, help='train each for N epochs')
    budget.add_argument('--minutes', type=float, help='train each for M minutes')
    parser.add_argument(
        '--seeds', type=int, nargs='+', default=[0], help='train with each (default: 0)'
    )
    parser.add_argument(
        '--batch-size', type=int, help="images a batch; each config's own by default"
    )
    parser.add_argument(
        '--workers', type=int, help="loading processes; each config's own by default"
    )
    add_config_options(parser)
    parser.add_argument(
        '--force', action='store_true', help='start runs anew whose settings changed'
    )


def run(args: argparse.Namespace) -> int:
    """Do what is missing, and write the table after every run.

    Returns:
        0 if all is done, 1 if runs failed.
    """
    _check(args)
    # Made here, since a log keeps the stream that is `stdout` at that moment.
    MMLogger.get_instance('m2det compare', log_level='WARNING')
    configs = load_configs(args)
    check_output(args.out / _TABLE, force=True)
    with locked(args.out), _terminable():
        layout = None
        if args.data is not None:
            layout = _layout(args)
        else:
            check_same_data(configs)
        plans = plan_runs(args, configs, layout)
        ready = {run: plan[1] for run, plan in plans.items() if is_ready(plan)}
        if args.force:
            for run, settings in ready.items():
                run.clear(settings)
        else:
            check_changes(ready)
        comparison = Comparison(
            list(plans), _budget(args), _data(args, configs, layout)
        )
        failed = _do_all(plans, comparison, args.out)
    print(f'Table written to {args.out / _TABLE}')
    if failed:
        print(f'{failed} of {len(plans)} runs failed; the same command tries again.')
    return int(failed > 0)


def _check(args: argparse.Namespace) -> None:
    """Stop at numbers that cannot be."""
    for option, numbers, lowest in (
        ('--epochs', [args.epochs], 1),
        ('--batch-size', [args.batch_size], 1),
        ('--workers', [args.workers], 0),
        ('--seeds', args.seeds, 0),
    ):
        for number in numbers:
            if number is not None and number < lowest:
                raise M2DetError(f'{option} must be at least {lowest}, got {number}.')
    if args.minutes is not None and not 0 < args.minutes < float('inf'):
        raise M2DetError(f'--minutes must be positive, got {args.minutes}.')
    if len(set(args.seeds)) < len(args.seeds):
        raise M2DetError(f'--seeds must differ, got {args.seeds}.')


def _layout(args: argparse.Namespace) -> DataLayout:
    # pycocotools prints how long it reads.
    with redirect_stdout(io.StringIO()):
        return read_layout(args.data, (args.out / 'data').resolve())


def _do_all(plans: dict[Run, Plan], comparison: Comparison, out: Path) -> int:
    """Do the runs that are not done, and write the table; count what failed."""
    done = {run for run, plan in plans.items() if _is_done(run, plan)}
    write_report(comparison, out)
    draw_report(comparison, out)
    try:
        return _do_missing(plans, done, comparison, out)
    finally:
        draw_report(comparison, out)


def _do_missing(
    plans: dict[Run, Plan], done: set[Run], comparison: Comparison, out: Path
) -> int:
    failed = 0
    for number, (run, plan) in enumerate(plans.items(), start=1):
        place = f'[{number}/{len(plans)}] {run.name}, seed {run.seed}'
        if run in done:
            print(f'{place}: done before', flush=True)
            continue
        print(f'{place}: begins', flush=True)
        try:
            ap = _do(run, plan)['test']['coco/bbox_mAP']
            print(f'{place}: AP {ap:.3f}', flush=True)
        except RunError as error:
            run.fail(str(error))
            failed += 1
            print(f'{place}: failed: {error}', flush=True)
        write_report(comparison, out)
    return failed


def _is_done(run: Run, plan: Plan) -> bool:
    """Whether a run has the result of its plan; a later failure is forgotten then."""
    if not is_ready(plan):
        run.fail(plan)
    elif run.result is not None and not run.changes(plan[1]):
        run.forget_failure()
        return True
    return False


def _do(run: Run, plan: Plan) -> dict[str, Any]:
    if not is_ready(plan):
        raise RunError(plan)
    run.begin(*plan)
    return run.finish()


def _budget(args: argparse.Namespace) -> str:
    if args.minutes is None:
        return f'{args.epochs} epochs' if args.epochs > 1 else '1 epoch'
    return f'{args.minutes:g} minutes'


def _data(
    args: argparse.Namespace, configs: dict[str, Config], layout: DataLayout | None
) -> dict[str, Any]:
    """Tell what was trained and tested on."""
    if layout is not None:
        test = 'val' if layout.test is None else 'test'
        images = {'train': layout.train.size, test: getattr(layout, test).size}
        return {
            'name': args.data.resolve().name,
            'split': test,
            'images': images,
            'classes': list(layout.classes),
        }
    files = annotation_files(next(iter(configs.values())), 'test')
    return {'name': ', '.join(map(os.path.basename, files)), 'split': 'test'}


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the process as Ctrl-C does, so that the worker ends too."""

    def stop(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    former = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
