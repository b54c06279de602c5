"""Gives the last and the best checkpoint of a run names that do not change."""

import os
import shutil
from pathlib import Path
from typing import Any

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...checkpoints.latest import LAST
from ...utils.files import partial_path, writing

BEST = 'best.pth'
# Where the message hub has the files of MMEngine's hook.
_KEYS = {LAST: 'last_ckpt', BEST: 'best_ckpt'}


@HOOKS.register_module()
class PlainNamesHook(Hook):
    """Keeps ``last.pth`` and ``best.pth`` beside the checkpoints of MMEngine's hook.

    They are further names of its files, which take no space, or copies where the disk
    knows one name a file only. Each changes at once or not at all.

    Raises:
        M2DetError: If a name cannot be written.
    """

    # After the hook that writes checkpoints.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self._named: dict[str, tuple[str, int, int]] = {}

    def after_train_epoch(self, runner: Runner) -> None:
        """Name what was saved after the epoch."""
        self._name(runner)

    def after_val_epoch(self, runner: Runner, *_: Any, **__: Any) -> None:
        """Name what was saved after the validation."""
        self._name(runner)

    def _name(self, runner: Runner) -> None:
        if runner.rank != 0:
            return
        for name, key in _KEYS.items():
            known = runner.message_hub.get_info(key, None)
            file = Path(known) if known else None
            if file is None or not file.is_file():
                continue
            # A last checkpoint is saved again when it turns out to be the best.
            state = (known, file.stat().st_ino, file.stat().st_mtime_ns)
            if state != self._named.get(name):
                _give_name(file, Path(runner.work_dir, name))
                self._named[name] = state


def _give_name(file: Path, name: Path) -> None:
    partial = partial_path(name)
    with writing(name, partial):
        try:
            try:
                os.link(file, partial)
            except OSError:
                shutil.copyfile(file, partial)
            partial.replace(name)
        finally:
            partial.unlink(missing_ok=True)
