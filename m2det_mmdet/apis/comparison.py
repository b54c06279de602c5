"""Train detectors on the same data with the same budget, and compare them."""

import io
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..comparison.data import annotation_files
from ..comparison.plan import (
    Plan,
    Terms,
    check_same_data,
    is_ready,
    load_configs,
    plan_runs,
)
from ..comparison.report import Comparison, draw_report, write_report
from ..comparison.run import Run, RunError, check_changes, locked
from ..datasets.layouts import DataLayout, read_layout
from ..utils.errors import M2DetError
from ..utils.files import check_output
from ..utils.logs import quiet_log
from .checks import check_at_least, our_errors


@dataclass(frozen=True)
class RunEvent:
    """What happens to a run of a comparison.

    Attributes:
        state: ``'done before'``, ``'begins'``, ``'done'`` or ``'failed'``.
        run: The run: name of its config, seed and folder.
        number: Its place among all runs, from 1.
        total: How many there are.
        ap: Box AP, once it is done.
        reason: One sentence, if it failed.
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
    epochs: int | None = None,
    minutes: float | None = None,
    seeds: Sequence[int] = (0,),
    batch_size: int | None = None,
    workers: int | None = None,
    force: bool = False,
    options: Mapping[str, Any] | None = None,
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
        epochs: Epochs that each is trained; or
        minutes: Minutes that each is trained.
        seeds: Each config is trained with each.
        batch_size: Images a batch; each config's own by default.
        workers: Loading processes; each config's own by default.
        force: Whether to start runs anew whose settings changed.
        options: Settings of all configs to override, by their dotted keys.
        on_event: Gets a :class:`RunEvent` whenever a run begins, ends or fails.

    Returns:
        The runs with their results, as the table has them; ``failed`` lists those
        without one.

    Raises:
        M2DetError: One sentence on what is wrong with an argument, a config or the
            data. A run that fails does not raise.
    """
    quiet_log()
    out = Path(out)
    terms = _terms(out, epochs, minutes, seeds, batch_size, workers)
    loaded = load_configs([str(name) for name in configs], options)
    check_output(out / 'comparison.md', force=True)
    with locked(out):
        layout = None
        if data is not None:
            # pycocotools prints how long it reads.
            with redirect_stdout(io.StringIO()):
                layout = read_layout(Path(data), (out / 'data').resolve())
        else:
            check_same_data(loaded)
        plans = plan_runs(terms, loaded, layout)
        ready = {run: plan[1] for run, plan in plans.items() if is_ready(plan)}
        if force:
            for run, settings in ready.items():
                run.clear(settings)
        else:
            check_changes(ready)
        description = _description(data, loaded, layout)
        comparison = Comparison(list(plans), terms.budget(), description)
        done = {run for run, plan in plans.items() if _is_done(run, plan)}
        write_report(comparison, out)
        draw_report(comparison, out)
        try:
            _do_missing(plans, done, comparison, out, on_event or (lambda event: None))
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


def _is_done(run: Run, plan: Plan) -> bool:
    """Whether a run has the result of its plan; a later failure is forgotten then."""
    if not is_ready(plan):
        run.fail(plan)
    elif run.result is not None and not run.changes(plan[1]):
        run.forget_failure()
        return True
    return False


def _do_missing(
    plans: dict[Run, Plan],
    done: set[Run],
    comparison: Comparison,
    out: Path,
    report: Callable[[RunEvent], None],
) -> None:
    """Do the runs that are not done, and write the table after each."""
    for number, (run, plan) in enumerate(plans.items(), start=1):
        place = (run, number, len(plans))
        if run in done:
            report(RunEvent('done before', *place))
            continue
        report(RunEvent('begins', *place))
        try:
            if not is_ready(plan):
                raise RunError(plan)
            run.begin(*plan)
            ap = run.finish()['test']['coco/bbox_mAP']
            report(RunEvent('done', *place, ap=ap))
        except RunError as error:
            run.fail(str(error))
            report(RunEvent('failed', *place, reason=str(error)))
        write_report(comparison, out)


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
