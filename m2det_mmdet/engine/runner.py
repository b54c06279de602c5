"""Builds the runner of a config."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

from mmdet.registry import RUNNERS
from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.logging import MMLogger
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from mmengine.visualization import Visualizer

from ..utils.configs import DUMP_SUFFIX, config_name, describe, is_of_run
from ..utils.errors import M2DetError, explain
from ..utils.logs import prints_to, quiet
from ..utils.pipelines import nested
from .data_workers import fit_to_workers
from .hooks.skipped_images_hook import SkippedImagesHook


def set_work_dir(
    cfg: Config, work_dir: str | Path | None, name: str | None = None
) -> None:
    """Set the work folder: the given one, else the config's, else a usual place.

    That is ``work_dirs/<name of the config>``; for the ``config.py`` of a run, of which
    each run has one, ``work_dirs/<name of the run>-config``, and likewise for a config
    that no file holds.

    Args:
        cfg: The config.
        work_dir: The given one.
        name: What a config is called that no file holds.
    """
    if work_dir is not None:
        cfg.work_dir = str(work_dir)
    elif cfg.get('work_dir') is None:
        is_named = cfg.filename is None and name is not None
        # Without the end it would be the folder of the run itself.
        end = '-config' if is_named or is_of_run(cfg) else ''
        cfg.work_dir = str(
            Path('work_dirs', (name if is_named else config_name(cfg)) + end)
        )


def build_runner(
    cfg: Config, *, datasets: dict[str, Any] | None = None, on_console: bool = True
) -> Runner:
    """Build the runner, and leave its config in the work folder.

    Args:
        cfg: The config.
        datasets: Data sets that are built already, by ``train``, ``val`` and ``test``;
            the runner takes them instead of those that the config describes.
        on_console: Whether MMEngine's messages go to standard output as well as to the
            log file of the run; if not, warnings go to standard error.

    Raises:
        M2DetError: If a module refuses its arguments.
    """
    if cfg.get('visualizer'):
        # It would be that of an earlier run in this process, which writes elsewhere;
        # without a name the runner gives it one of its own.
        cfg.visualizer.pop('name', None)
    _name_own_types(cfg)
    for key in ('train', 'val', 'test'):
        if loader := cfg.get(f'{key}_dataloader'):
            fit_to_workers(loader)
    try:
        # A log keeps the stream that is standard output when it is made.
        hidden = nullcontext() if on_console else redirect_stdout(io.StringIO())
        with hidden, _without_dump():
            # Registered runners are those of mmdet's registry, as in its scripts.
            custom = 'runner_type' in cfg
            runner = RUNNERS.build(cfg) if custom else Runner.from_cfg(cfg)
    except ValueError as error:
        # Our modules check their arguments.
        raise M2DetError(f'{describe(cfg)} does not build: {explain(error)}') from error
    if not on_console:
        quiet(runner.logger)
    for key, dataset in (datasets or {}).items():
        name = f'_{key}_dataloader'
        settings = {**getattr(runner, name), 'dataset': dataset}
        setattr(runner, name, Runner.build_dataloader(settings, seed=runner.seed))
    if _skips_images(cfg):
        runner.register_hook(SkippedImagesHook())
    _dump(cfg, runner)
    return runner


def _skips_images(cfg: Config) -> bool:
    """Whether a training may skip images, and no hook of the config tells which."""
    hooks = cfg.get('custom_hooks') or []
    is_told = any(hook.get('type') == SkippedImagesHook.__name__ for hook in hooks)
    parts = nested(cfg.get('train_dataloader'))
    return not is_told and any(part.get('unreadable') == 'skip' for part in parts)


def _name_own_types(cfg: Config) -> None:
    """Let a config get this package's loop and hook where it names MMEngine's.

    It may do so by a class or, for the loop, by ``by_epoch``, which are not looked up
    in a registry.
    """
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    if hook.get('type') is CheckpointHook:
        hook.type = 'CheckpointHook'
    loop = cfg.get('train_cfg') or {}
    for kind in (EpochBasedTrainLoop, IterBasedTrainLoop):
        if loop.get('type') is kind:
            loop.type = kind.__name__
    if 'type' not in loop and 'by_epoch' in loop:
        epochs = loop.pop('by_epoch')
        loop.type = f'{"Epoch" if epochs else "Iter"}BasedTrainLoop'


@contextmanager
def logged(runner: Runner) -> Iterator[Path]:
    """Keep what libraries print in the log of a run, and close the log afterwards.

    A run that begins within the same second has the same name: it shall get a log and a
    visualizer of its own.

    Yields:
        The log file.
    """
    logger = runner.logger
    try:
        with prints_to(logger):
            yield Path(runner.log_dir, f'{runner.timestamp}.log')
    finally:
        MMLogger._instance_dict.pop(logger.instance_name, None)
        # Its own class lists it, and that of all visualizers.
        for kind in (type(runner.visualizer), Visualizer):
            kind._instance_dict.pop(runner.visualizer.instance_name, None)
        for handler in logger.handlers:
            handler.close()


def dumped_config(cfg: Config, work_dir: str | Path) -> Path | None:
    """Return the file in the work folder that holds the config of a run.

    It is ``NAME_full.py``, or the config itself where that lies in the work folder: a
    run never writes over what it was started from. ``None`` if no file holds it.
    """
    if cfg.filename is None:
        return None
    path = Path(cfg.filename)
    if path.parent.resolve() == Path(work_dir).resolve():
        return path
    return Path(work_dir, f'{config_name(cfg)}{DUMP_SUFFIX}{path.suffix}')


@contextmanager
def _without_dump() -> Iterator[None]:
    """Keep MMEngine from writing the config by the name that it has."""
    dump = Runner.dump_config
    Runner.dump_config = lambda _: None
    try:
        yield
    finally:
        Runner.dump_config = dump


def _dump(cfg: Config, runner: Runner) -> None:
    """Write the config of a run into its work folder.

    mim finds a config by its base name anywhere in the repository of an editable
    install and refuses to choose between two; a copy of the same name in the work
    folder would make the next call fail.
    """
    if runner.rank != 0:
        return
    path = dumped_config(cfg, runner.work_dir)
    if path is None:
        path = Path(runner.work_dir, f'{runner.timestamp}.py')
    # A config that was read of a text has no file any more.
    if not (path.is_file() and cfg.filename and path == Path(cfg.filename)):
        runner.cfg.dump(path)
