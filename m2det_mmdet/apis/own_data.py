"""Makes a config of a data folder, and writes all that repeats the run."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from mmengine.config import Config
from mmengine.dist import barrier, is_main_process

from ..analysis.anchors import check_fit, improve
from ..analysis.machine import versions
from ..datasets.checks.images.depth import used_bits
from ..datasets.faults import Faults, Level
from ..datasets.layouts import write_folder
from ..datasets.layouts.folder import DataFolder
from ..recipes.loading import load_deep_images
from ..recipes.options import TrainingOptions, apply_options
from ..recipes.own_data import (
    default_config,
    default_epochs,
    fit_learning_rate,
    use_own_data,
)
from ..utils.configs import config_name, load_config
from ..utils.errors import M2DetError
from ..utils.files import write_whole
from .checks import start_processes
from .data_check import DataCheck, inspect_data, summarize
from .run_folder import (
    ARGUMENTS,
    CHECK,
    CONFIG,
    DATA,
    OwnData,
    choose_folder,
    load_run,
    removed_on_failure,
)

# Settings of a schedule, by the begin of their keys.
_OF_SCHEDULES = ('train_cfg', 'param_scheduler')


@dataclass(frozen=True)
class DataRead:
    """A data folder was read, and a run folder begun.

    Attributes:
        check: What is in the data, and what is wrong with them.
        run: The run folder.
        config: The config that is trained, as it was named.
        start: Weights to begin with, if any.
        epochs: Passes over the training images.
        remarks: What was made fit to the data, in sentences.
    """

    check: DataCheck
    run: Path
    config: str
    start: str | None
    epochs: int
    remarks: tuple[str, ...]


def begin_run(
    own: OwnData,
    config: str | Path | Config | None,
    changes: TrainingOptions,
    *,
    settings: Mapping[str, Any],
    adapt: Callable[[Config], None],
    launcher: str,
    report: Callable[[DataRead], None],
) -> Config:
    """Check the data, and make a run folder with config and annotations.

    Args:
        own: The data.
        config: What to train; ``None`` for what suits the device.
        changes: What the caller changes of it.
        settings: Settings of the config to override, by their dotted keys.
        adapt: Changes the config at last, before it is written.
        launcher: As of :func:`.start_processes`.
        report: Gets a :class:`DataRead`, in the first process.

    Returns:
        The config that is in the folder; its work folder is that one.

    Raises:
        M2DetError: If the folder is in use, the data cannot be used, or the config not
            with them.
    """
    fit = config is None
    if config is None:
        config, start = default_config()
        changes = replace(changes, start=changes.start or start)
    cfg = load_config(config, settings)
    start_processes(cfg, launcher)
    run, is_first = choose_folder(own), is_main_process()
    with removed_on_failure(run, lambda: not is_first):
        try:
            if is_first:
                report(_fill(run, own, cfg, changes, settings, adapt, fit=fit))
        finally:
            barrier()
        return load_run(run, launcher)


def _fill(
    run: Path,
    own: OwnData,
    cfg: Config,
    changes: TrainingOptions,
    settings: Mapping[str, Any],
    adapt: Callable[[Config], None],
    *,
    fit: bool,
) -> DataRead:
    """Fit a config to the data, and write all that repeats the run."""
    name, started = config_name(cfg), perf_counter()
    asked = settings.get('train_cfg.max_epochs')
    seed = changes.seed or 0
    folder, faults = inspect_data(
        own.data,
        images=own.check_images,
        seed=seed,
        allow_outside=own.allow_outside,
    )
    _check_usable(own.data, faults)
    layout = write_folder(folder, run.absolute() / DATA)
    use_own_data(cfg, layout)
    if changes.epochs is None:
        epochs = asked or default_epochs(layout.train.size)
        changes = replace(changes, epochs=epochs)
    changes = replace(changes, seed=seed, start=_absolute(changes.start))
    apply_options(cfg, changes)
    remarks = [*_fit_loading(cfg, folder), *fit_learning_rate(cfg)]
    anchors = _fit_anchors(cfg, folder) if fit else []
    check_fit(cfg, folder, faults, fitted=bool(anchors))
    remarks += anchors
    check = summarize(folder, faults, perf_counter() - started)
    # What the caller sets wins over all that was derived, but for the schedule: it was
    # scaled with what the caller sets of it, and has other units now.
    cfg.merge_from_dict(
        {
            key: value
            for key, value in settings.items()
            if key.split('.')[0] not in _OF_SCHEDULES
        }
    )
    adapt(cfg)
    write_whole(run / CONFIG, f'{cfg.pretty_text}\n')
    write_whole(run / CHECK, check.to_json())
    arguments = {'config': name, **_texts(own), **_texts(changes), 'options': settings}
    arguments['data'] = own.data.absolute()
    content = {'arguments': arguments, 'versions': versions()}
    write_whole(run / ARGUMENTS, json.dumps(content, indent=2, default=str) + '\n')
    return DataRead(
        check, run, name, cfg.get('load_from'), changes.epochs, tuple(remarks)
    )


def _absolute(start: str | None) -> str | None:
    """Name a checkpoint so that the config finds it from any folder."""
    path = Path(start or '').expanduser()
    return str(path.absolute()) if path.is_file() else start


def _texts(options: Any) -> dict[str, Any]:
    return {key: value for key, value in asdict(options).items() if value is not None}


def _fit_loading(cfg: Config, folder: DataFolder) -> list[str]:
    """Let a config read images of more than 8 bits with the bits that they use."""
    bits = used_bits(folder)
    if bits is None:
        return []
    load_deep_images(cfg, bits)
    return [f'Images of 16 bits use {bits} of them, and are read so.']


def _fit_anchors(cfg: Config, folder: DataFolder) -> list[str]:
    """Give a config anchors that fit the data, where there are better ones."""
    fitted = improve(cfg, folder)
    if not fitted.settings:
        return []
    cfg.model[fitted.head].anchor_generator.update(fitted.settings)
    return [
        f'Anchors were fitted: {fitted.after.recall():.1%} of the objects have one of '
        f'IoU 0.5, before {fitted.before.recall():.1%}.'
    ]


def _check_usable(data: Path, faults: Faults) -> None:
    stops = [x for x in faults.findings.values() if x.kind.level == Level.STOP]
    if stops:
        sentences = ' '.join(finding.examples[0] for finding in stops)
        raise M2DetError(
            f'{data} cannot be trained on. {sentences} `m2det check {data}` lists all '
            'that is wrong.'
        )
