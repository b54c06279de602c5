"""Train detectors on the same data with the same budget, and compare them.

m2det compare CONFIG [CONFIG ...] --data DATA --out OUT (--epochs N | --minutes M)

DATA is a folder in COCO's, VOC's or YOLO's form; without it all configs must name the
same data. Each config and seed is trained, evaluated and timed in its own process. The
table in OUT/comparison.md is written anew after every run. The same command goes on
where an earlier one was stopped, and tries again what failed.
"""

import argparse
import io
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from copy import deepcopy
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from ..datasets.layouts import DataLayout, read_layout
from ..engine.comparison import (
    ComparisonError,
    annotation_files,
    check_metric,
    count_images,
    epoch_length,
    set_epochs,
    set_minutes,
    settings_of,
    use_data,
)
from .compare_report import Comparison, write_report
from .compare_runs import Run, RunError, check_changes, locked
from .configs import add_config_options, load_config
from .errors import UserError
from .files import check_output

_TABLE = 'comparison.md'
_IMPORT = 'm2det_mmdet'


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
    configs = _load(args)
    check_output(args.out / _TABLE, force=True)
    with locked(args.out), _terminable():
        layout = None
        if args.data is not None:
            layout = _layout(args)
        else:
            _check_same_data(configs)
        plans = _plans(args, configs, layout)
        ready = {run: plan[1] for run, plan in plans.items() if _is_ready(plan)}
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
                raise UserError(f'{option} must be at least {lowest}, got {number}.')
    if args.minutes is not None and not 0 < args.minutes < float('inf'):
        raise UserError(f'--minutes must be positive, got {args.minutes}.')
    if len(set(args.seeds)) < len(args.seeds):
        raise UserError(f'--seeds must differ, got {args.seeds}.')


def _load(args: argparse.Namespace) -> dict[str, Config]:
    """Load the configs, by the stems of their names."""
    configs: dict[str, Config] = {}
    for name in args.configs:
        cfg = load_config(name, args.cfg_options)
        for key in ('model', 'train_dataloader', 'test_dataloader'):
            if cfg.get(key) is None:
                raise UserError(f'{name} has no {key}: give the config of a detector.')
        stem = Path(cfg.filename).stem
        if stem in configs:
            raise UserError(
                f'Two configs are named {stem} ({configs[stem].filename} and '
                f'{cfg.filename}): their results would share a folder; rename one.'
            )
        configs[stem] = cfg
    return configs


def _layout(args: argparse.Namespace) -> DataLayout:
    # pycocotools prints how long it reads.
    with redirect_stdout(io.StringIO()):
        return read_layout(args.data, (args.out / 'data').resolve())


def _check_same_data(configs: dict[str, Config]) -> None:
    """Stop where configs name different annotations."""
    files = {
        name: {key: annotation_files(cfg, key) for key in ('train', 'test')}
        for name, cfg in configs.items()
    }
    first, *others = files
    for other in others:
        for key in ('train', 'test'):
            mine, its = files[first][key], files[other][key]
            if mine != its:
                raise UserError(
                    f'{first} and {other} have different data: to {key} they read '
                    f'{", ".join(mine)} and {", ".join(its)}; give --data.'
                )


Plan = tuple[Config, dict[str, Any]] | str


def _plans(
    args: argparse.Namespace, configs: dict[str, Config], layout: DataLayout | None
) -> dict[Run, Plan]:
    """Return each run's config and settings, or why there are none; seed by seed."""
    amended: dict[str, dict[int, Plan]] = {}
    for name, cfg in configs.items():
        try:
            cfg = _amend(cfg, args, layout)
            amended[name] = {seed: _seeded(cfg, seed) for seed in args.seeds}
        except ComparisonError as error:
            amended[name] = dict.fromkeys(args.seeds, str(error))
    return {
        Run(name, seed, args.out / name / f'seed_{seed}'): plans[seed]
        for seed in args.seeds
        for name, plans in amended.items()
    }


def _seeded(cfg: Config, seed: int) -> tuple[Config, dict[str, Any]]:
    cfg = deepcopy(cfg)
    cfg.randomness = ConfigDict({**(cfg.get('randomness') or {}), 'seed': seed})
    files = [file for key in ('train', 'test') for file in annotation_files(cfg, key)]
    return cfg, settings_of(cfg, files)


def _amend(cfg: Config, args: argparse.Namespace, layout: DataLayout | None) -> Config:
    """Return a config with the data, the budget and the hooks of a comparison.

    Raises:
        ComparisonError: If the config cannot be compared so.
    """
    cfg = deepcopy(cfg)
    # Its data sets and metrics may be this package's.
    imports = (cfg.get('custom_imports') or {}).get('imports', [])
    imports = [imports] if isinstance(imports, str) else list(imports)
    cfg.custom_imports = ConfigDict(
        imports=list(dict.fromkeys([*imports, _IMPORT])), allow_failed_imports=False
    )
    if layout is not None:
        use_data(cfg, layout)
    else:
        check_metric(cfg)
    # Faults of the test data show before the training.
    count_images(cfg, 'test')
    _set_loaders(cfg, args.batch_size, args.workers)
    cfg.custom_hooks = [
        *(cfg.get('custom_hooks') or []),
        ConfigDict(type='FiniteLossHook'),
    ]
    hooks = cfg.get('default_hooks') or {}
    checkpoint = ConfigDict(type='CheckpointHook', interval=1, max_keep_ckpts=2)
    cfg.default_hooks = ConfigDict({**hooks, 'checkpoint': checkpoint})
    if args.minutes is None:
        cfg.custom_hooks.append(ConfigDict(type='TrainingCostHook'))
        set_epochs(cfg, args.epochs, epoch_length(cfg))
    else:
        epoch_length(cfg)
        set_minutes(cfg, args.minutes)
    return cfg


def _set_loaders(cfg: Config, batch_size: int | None, workers: int | None) -> None:
    if batch_size is not None:
        cfg.train_dataloader.batch_size = batch_size
    if workers is None:
        return
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.num_workers = workers
        loader.persistent_workers = workers > 0
        if workers == 0:
            loader.pop('prefetch_factor', None)


def _do_all(plans: dict[Run, Plan], comparison: Comparison, out: Path) -> int:
    """Do the runs that are not done, and write the table; count what failed."""
    done = {run for run, plan in plans.items() if _is_done(run, plan)}
    write_report(comparison, out)
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
    if not _is_ready(plan):
        run.fail(plan)
    elif run.result is not None and not run.changes(plan[1]):
        run.forget_failure()
        return True
    return False


def _do(run: Run, plan: Plan) -> dict[str, Any]:
    if not _is_ready(plan):
        raise RunError(plan)
    run.begin(*plan)
    return run.finish()


def _is_ready(plan: Plan) -> bool:
    return not isinstance(plan, str)


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
