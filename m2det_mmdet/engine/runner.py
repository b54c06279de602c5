"""Builds the runner of a config."""

from pathlib import Path

from mmdet.registry import RUNNERS
from mmengine.config import Config
from mmengine.runner import Runner

from ..utils.configs import DUMP_SUFFIX, config_name
from ..utils.errors import M2DetError


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
        raise M2DetError(f'{cfg.filename} does not build: {error}') from error
    config = Path(cfg.filename)
    dumped = Path(runner.work_dir, config.name)
    if runner.rank == 0 and dumped.is_file() and not dumped.samefile(config):
        dumped.replace(dumped.with_stem(f'{config_name(cfg)}{DUMP_SUFFIX}'))
    return runner
