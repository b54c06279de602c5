"""Train detectors on the same data with the same budget, and compare them."""

import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..analysis.machine import versions
from ..checkpoints.publishing import FORMS, SAFETENSORS
from ..comparison.elsewhere import (
    RunAbroad,
    SharedData,
    finish_abroad,
    finish_here,
    take_along,
)
from ..comparison.plan import (
    Plan,
    Terms,
    check_same_data,
    load_configs,
    plan_runs,
)
from ..comparison.report import Comparison, draw_report, write_report
from ..comparison.run import Run, RunError, check_changes, locked
from ..datasets.layouts import DataLayout, read_layout
from ..jobs import Again, Began, Ended, Engine, Job, Told, choose_engine
from ..recipes.data import annotation_files
from ..recipes.options import add_hook
from ..utils.arguments import check_path, check_paths, texts_of
from ..utils.errors import M2DetError, explain, our_errors
from ..utils.files import check_output
from ..utils.logs import quiet_log
from .checks import check_at_least, check_one_of


@dataclass(frozen=True)
class RunEvent:
    """What happens to a run of a comparison.

    Attributes:
        state: ``'done before'``, ``'begins'``, ``'again'``, ``'done'`` or ``'failed'``.
        run: The run: name of its config, seed and folder.
        number: Its place among all runs, from 1.
        total: How many there are.
        ap: Box AP, once it is done.
        reason: One sentence, if it failed; a clause on the process that died, if it is
            tried again.
    """

    state: str
    run: Run
    number: int
    total: int
    ap: float | None = None
    reason: str | None = None


@our_errors()
def compare(
    configs: Sequence[str | Path],
    out: str | Path,
    *,
    data: str | Path | None = None,
    allow_outside: bool = False,
    epochs: int | None = None,
    minutes: float | None = None,
    seeds: Sequence[int] = (0,),
    batch_size: int | None = None,
    workers: int | None = None,
    form: str | None = None,
    force: bool = False,
    options: Mapping[str, Any] | None = None,
    engine: str = 'local',
    jobs: int | None = None,
    ray_address: str | None = None,
    job_cpus: int | None = None,
    on_event: Callable[[RunEvent], None] | None = None,
) -> Comparison:
    """Train, evaluate and time each config with each seed, and write a table.

    Each run is a process of its own. What is done is not done again: the same call goes
    on where an earlier one was stopped, and tries again what failed.

    Args:
        configs: Paths, names of our configs, or ``mmdet::FOLDER/NAME.py``.
        out: Folder of the results: ``comparison.md``, ``.csv``, ``.json`` and ``.png``,
            and a folder for each run.
        data: A folder in COCO's, VOC's or YOLO's form; without it all configs must
            name the same data.
        allow_outside: Whether images of ``data`` may lie outside of it.
        epochs: Epochs that each is trained; or
        minutes: Minutes that each is trained.
        seeds: Each config is trained with each.
        batch_size: Images a batch; each config's own by default.
        workers: Loading processes; each config's own by default.
        form: ``'safetensors'`` for runs that also write the weights of their last
            checkpoint alone, ``train/last.safetensors``; one that is done is left.
        force: Whether to start runs anew whose settings changed.
        options: Settings of all configs to override, by their dotted keys.
        engine: ``'local'`` for this machine, or ``'ray'``, on which runs need no disk
            in common.
        jobs: Runs at a time, each with a GPU of its own where there are any; 1 by
            default, and with Ray as many as there is room for.
        ray_address: Address of a cluster as Ray has it; that of ``RAY_ADDRESS`` by
            default, else a Ray on this machine, which is started where there is none.
        job_cpus: Threads of each run, and the CPUs that it takes of Ray.
        on_event: Gets a :class:`RunEvent` whenever a run begins, ends or fails.

    Returns:
        The runs with their results, as the table has them; ``failed`` lists those
        without one.

    Raises:
        M2DetError: One sentence on what is wrong with an argument, a config or the
            data. A run that fails does not raise.
    """
    quiet_log()
    check_path('out', out)
    check_paths(data=data)
    if allow_outside and data is None:
        raise M2DetError(
            'allow_outside is for data of your own: give data, or set it in the data '
            'sets of the configs.'
        )
    out = Path(out).expanduser()
    doing = choose_engine(engine, jobs, ray_address=ray_address, job_cpus=job_cpus)
    terms = _terms(out, epochs, minutes, seeds, batch_size, workers)
    check_one_of('form', form, FORMS)
    loaded = load_configs([*texts_of('configs', configs)], options)
    if form == SAFETENSORS:
        for cfg in loaded.values():
            add_hook(cfg, 'SafetensorsHook')
    check_output(out / 'comparison.md', force=True)
    with locked(out):
        layout = None
        if data is not None:
            # pycocotools prints how long it reads.
            with redirect_stdout(io.StringIO()):
                layout = read_layout(
                    Path(data), (out / 'data').resolve(), allow_outside=allow_outside
                )
        else:
            check_same_data(loaded)
        plans = plan_runs(terms, loaded, layout)
        ready = {run: plan for run, plan in plans.items() if isinstance(plan, Plan)}
        comparison = Comparison(
            list(plans),
            terms.budget(),
            _description(data, loaded, layout),
            {run.name: plan.remarks for run, plan in ready.items()},
        )
        if not force:
            check_changes({run: plan.settings for run, plan in ready.items()})
        done = _find_done(plans, comparison, force=force)
        write_report(comparison, out)
        draw_report(comparison, out)
        try:
            report = on_event or (lambda event: None)
            _do_missing(plans, done, comparison, out, report, doing)
        finally:
            draw_report(comparison, out)
    return comparison


def _terms(
    out: Path,
    epochs: int | None,
    minutes: float | None,
    seeds: Sequence[int],
    batch_size: int | None,
    workers: int | None,
) -> Terms:
    """Stop at numbers that cannot be."""
    if (epochs is None) == (minutes is None):
        raise M2DetError(
            f'A budget is either epochs or minutes, got {epochs} and {minutes}.'
        )
    check_at_least('epochs', epochs, 1)
    check_at_least('batch_size', batch_size, 1)
    check_at_least('workers', workers, 0)
    for seed in seeds:
        check_at_least('seeds', seed, 0)
    if minutes is not None and not 0 < minutes < float('inf'):
        raise M2DetError(f'minutes must be positive, got {minutes}.')
    if len(set(seeds)) < len(seeds):
        raise M2DetError(f'seeds must differ, got {list(seeds)}.')
    return Terms(out, epochs, minutes, tuple(seeds), batch_size, workers)


def _find_done(
    plans: dict[Run, Plan | str], comparison: Comparison, *, force: bool
) -> set[Run]:
    """Return the runs that have the result of their plan.

    With ``force`` those that were begun with other settings are removed.
    """
    done = set()
    for run, plan in plans.items():
        with _failing_alone(run, comparison):
            if isinstance(plan, str):
                raise RunError(plan)
            if force:
                run.clear(plan.settings)
            if run.result is not None:
                run.forget_failure()
                done.add(run)
    return done


@contextmanager
def _failing_alone(run: Run, comparison: Comparison) -> Iterator[None]:
    """Let an error cost the run that it befalls, and no other."""
    try:
        yield
    except Exception as error:  # The next run may not meet it.
        comparison.fail(run, explain(error))


def _do_missing(
    plans: dict[Run, Plan | str],
    done: set[Run],
    comparison: Comparison,
    out: Path,
    report: Callable[[RunEvent], None],
    engine: Engine,
) -> None:
    """Do the runs that are not done, and write the table after each."""
    places = {
        run: (run, number, len(plans)) for number, run in enumerate(plans, start=1)
    }

    def jobs() -> Iterator[Job]:
        for run, plan in plans.items():
            if run in done:
                report(RunEvent('done before', *places[run]))
            else:
                yield Job(run, partial(_prepare, run, plan, here=engine.shares_disk))

    task, shared = finish_here, None
    if not engine.shares_disk:
        task, shared = (
            finish_abroad,
            SharedData.of((out / 'data').resolve(), versions()),
        )
    begun = set()
    with closing(engine.run(task, jobs(), shared)) as events:
        for job, event in events:
            run = job.key
            if isinstance(event, Began) and run not in begun:
                begun.add(run)
                comparison.failures.pop(run, None)
                report(RunEvent('begins', *places[run]))
            elif isinstance(event, Told):
                with _failing_alone(run, comparison):
                    event.message.apply_to(run.folder)
            elif isinstance(event, Again):
                report(RunEvent('again', *places[run], reason=event.reason))
            elif isinstance(event, Ended):
                if event.reason is not None:
                    comparison.fail(run, event.reason)
                report(_ended(comparison, *places[run]))
                write_report(comparison, out)


def _prepare(run: Run, plan: Plan | str, *, here: bool) -> Run | RunAbroad:
    """Prepare the folder of a run; return what finishes it."""
    if isinstance(plan, str):
        raise RunError(plan)
    run.begin(plan.cfg, plan.settings, plan.remarks)
    return run if here else take_along(run, plan.settings)


def _ended(comparison: Comparison, run: Run, *place: int) -> RunEvent:
    reason = comparison.failure(run)
    if reason is not None:
        return RunEvent('failed', run, *place, reason=reason)
    return RunEvent('done', run, *place, ap=run.result['test']['coco/bbox_mAP'])


def _description(
    data: str | Path | None, configs: dict[str, Config], layout: DataLayout | None
) -> dict[str, Any]:
    """Say what was trained and tested on."""
    if layout is None:
        files = annotation_files(next(iter(configs.values())), 'test')
        return {'name': ', '.join(map(os.path.basename, files)), 'split': 'test'}
    test = 'val' if layout.test is None else 'test'
    return {
        'name': Path(data).resolve().name,
        'split': test,
        'images': {'train': layout.train.size, test: getattr(layout, test).size},
        'classes': list(layout.classes),
    }
