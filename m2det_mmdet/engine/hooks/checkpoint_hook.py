"""Writes checkpoints, and loses none: whole files, the older ones deleted last."""

import os
import re
import signal
import time
from collections import deque
from pathlib import Path, PurePath
from typing import Any

import torch
from mmengine.dist import all_reduce, broadcast_object_list, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import BaseLoop, Runner
from torch import Tensor

from ...checkpoints.latest import (
    BETWEEN,
    NOTE,
    checkpoint_folder,
    newest_state,
    set_aside_newer,
)
from ...checkpoints.resuming import check_resumable
from ...utils.errors import M2DetError
from ...utils.files import write_whole
from ...utils.first_process import in_first_process
from ..accumulation import pending_gradients, restore_gradients
from ..interruption import TrainingInterrupted, requested
from ..soundness import unsound

# No file system has longer names.
_LONGEST = 256
# What is to be done after an iteration; of several processes the most wins.
_NOTHING, _SAVE, _STOP = range(3)


# Also of mmdet's own configs, which name it or name no hook of the kind.
@HOOKS.register_module(name='CheckpointHook', force=True)
class OwnCheckpointHook(CheckpointHook):
    """MMEngine's hook, which loses nothing and believes nothing.

    MMEngine deletes the older checkpoint before it writes the next, and deletes the
    file or the folder that a resumed checkpoint calls the best one as soon as a better
    one is found. Here a checkpoint is written, then the older one is deleted, and only
    files in the folder of this run's checkpoints are. A state with a number that is not
    finite, or right after a step that was left out, takes no place.

    Between two of them the state of the training is kept as ``resume.pth``: on Ctrl-C
    and SIGTERM, after which the training ends, and as the arguments say. The file is
    replaced by the next one, and removed after the next regular checkpoint.

    A runner that resumes without a checkpoint takes the newest that can be read.

    Args:
        every_iterations: Iterations after which the state is kept; ``None`` for never.
        every_minutes: Minutes without a checkpoint after which it is kept, likewise.
        on_write_error: ``'stop'`` to end the training where a checkpoint cannot be
            written, as on a full disk; ``'retry'`` to go on, and try again when the
            next one is due. Older ones are left in either case.
        kwargs: Those of MMEngine's hook.

    Raises:
        CheckpointError: If a training cannot go on from the checkpoint.
        M2DetError: If a checkpoint cannot be written.
        TrainingInterrupted: After the state was kept on a signal.
    """

    def __init__(
        self,
        *args: Any,
        every_iterations: int | None = None,
        every_minutes: float | None = None,
        on_write_error: str = 'stop',
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        for name, value in (
            ('every_iterations', every_iterations),
            ('every_minutes', every_minutes),
        ):
            if value is not None and not value > 0:
                raise ValueError(f'{name} must be positive or None, got {value}.')
        if on_write_error not in ('stop', 'retry'):
            raise ValueError(
                f"on_write_error must be 'stop' or 'retry', got {on_write_error!r}."
            )
        self.every_iterations = every_iterations
        self.every_minutes = every_minutes
        self.on_write_error = on_write_error
        self._gradients: dict[str, Tensor] | None = None
        self._written_at = -1
        self._written = time.monotonic()

    def before_run(self, runner: Runner) -> None:
        """Find the checkpoint of a runner that shall resume from the latest."""
        if (
            runner._resume
            and runner._load_from is None
            and isinstance(runner._train_loop, BaseLoop)
        ):
            # Files that one process finds, others may see later.
            folder = checkpoint_folder(runner.work_dir, self.out_dir)
            newest = in_first_process(lambda: newest_state(folder))
            runner._load_from = None if newest is None else str(newest)
            # In a folder without checkpoints a training begins.
            runner._resume = newest is not None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check what a resumed training takes from the checkpoint."""
        if runner._resume and isinstance(runner._train_loop, BaseLoop):
            check_resumable(checkpoint, runner)
            restore_gradients(runner, checkpoint.get('gradients', {}))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add what was accumulated for the next step."""
        if self._gradients and 'optimizer' in checkpoint:
            checkpoint['gradients'] = self._gradients

    def before_train(self, runner: Runner) -> None:
        """Find the last and the best checkpoint in this run's folder."""
        super().before_train(runner)
        self._written = time.monotonic()
        if runner.iter > 0 and is_main_process():
            self._set_aside_newer(runner)
        self.last_ckpt = self._own(runner, 'last_ckpt')
        for key in self.key_indicators if self.save_best else ():
            best = self._own(runner, self._of_best('best_ckpt', key))
            self._set_best(key, best)
            if best is None and runner.iter > 0:
                # Its score would keep the next best one from being written.
                runner.message_hub.pop_info(self._of_best('best_score', key), None)

    def between_iters(self, runner: Runner) -> None:
        """Keep the state where it is due, and end on a signal."""
        wish = self._wish(runner)
        if wish == _NOTHING:
            return
        meta = {'epoch': runner.epoch, 'iter': runner.iter}
        self._write_state(runner, BETWEEN, meta, by_epoch=False)
        if wish == _STOP:
            self._end(runner)

    def after_val_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """End on a signal where the state is kept already."""
        trains = isinstance(runner._train_loop, BaseLoop)
        if requested() and trains and self._written_at == runner.iter:
            self._end(runner)

    def _set_aside_newer(self, runner: Runner) -> None:
        taken = Path(str(runner._load_from))
        renamed = set_aside_newer(
            Path(self.out_dir), taken, epoch=runner.epoch, iterations=runner.iter
        )
        if renamed:
            names = ', '.join(path.name for path in renamed)
            runner.logger.warning(
                f'The training goes on from {taken.name}. What would be newer has '
                f'other names now: {names}.'
            )

    def _wish(self, runner: Runner) -> int:
        if requested():
            wish = _STOP
        else:
            minutes = (time.monotonic() - self._written) / 60
            due = (
                self.every_iterations and runner.iter % self.every_iterations == 0
            ) or (self.every_minutes and minutes >= self.every_minutes)
            wish = _SAVE if due and self._written_at != runner.iter else _NOTHING
        # Clocks differ, and a signal may reach one process only.
        wishes = torch.tensor(wish)
        all_reduce(wishes, 'max')
        return int(wishes)

    def _end(self, runner: Runner) -> None:
        last = runner.message_hub.get_info('last_ckpt', None)
        raise TrainingInterrupted(
            Path(last) if last else None,
            runner.iter,
            # Another process may have got the signal.
            requested() or signal.SIGTERM,
            is_whole=self._written_at == runner.iter,
        )

    def _save_checkpoint_with_step(
        self, runner: Runner, step: int, meta: dict[str, Any]
    ) -> bool:
        """Write a regular checkpoint, then delete those that are not kept any more.

        Returns:
            Whether it is written.
        """
        hub = runner.message_hub
        kept = hub.get_info('keep_ckpt_ids', None)
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            # With those that are deleted afterwards: MMEngine deletes them at the next
            # start where this does not come to it.
            self.keep_ckpt_ids = deque([*self.keep_ckpt_ids, step])
            hub.update_info('keep_ckpt_ids', [*self.keep_ckpt_ids])
        name = self.filename_tmpl.format(step)
        if not self._write_state(runner, name, meta, by_epoch=self.by_epoch):
            if self.max_keep_ckpts > 0:
                self.keep_ckpt_ids = deque(kept or [])
                hub.update_info('keep_ckpt_ids', [*self.keep_ckpt_ids])
            return False
        outdated = [BETWEEN]
        if self.max_keep_ckpts > 0:
            while len(self.keep_ckpt_ids) > self.max_keep_ckpts:
                oldest = self.keep_ckpt_ids.popleft()
                outdated.append(self.filename_tmpl.format(oldest))
            hub.update_info('keep_ckpt_ids', [*self.keep_ckpt_ids])
        for name in outdated:
            self._remove(self.file_backend.join_path(self.out_dir, name))
        return True

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Write the checkpoint of a better validation, then delete the one before."""
        if not self.save_best:
            return
        if 'auto' in self.key_indicators:
            self._init_rule(self.rules, [next(iter(metrics))])
        outdated: list[str | None] = []
        for key, rule in zip(self.key_indicators, self.rules, strict=True):
            if self._is_better(runner, key, rule, metrics):
                outdated += self._write_best(runner, key, metrics[key])
        known = True
        if outdated and self.last_ckpt is not None:
            # The last checkpoint has to know the best one.
            meta = {'epoch': runner.epoch, 'iter': runner.iter}
            step = runner.epoch if self.by_epoch else runner.iter
            known = self._save_checkpoint_with_step(runner, step, meta)
        for path in outdated if known else ():
            if path is not None:
                self._remove(path)

    def _is_better(
        self, runner: Runner, key: str, rule: str, metrics: dict[str, float]
    ) -> bool:
        if key not in metrics:
            raise M2DetError(
                f'default_hooks.checkpoint.save_best is {key}, and the validation '
                f'gives {", ".join(metrics)}: name one of these.'
            )
        start = self.init_value_map[rule]
        best = runner.message_hub.get_info(self._of_best('best_score', key), start)
        score = metrics[key]
        return score is not None and self.is_better_than[key](score, best)

    def _write_best(self, runner: Runner, key: str, score: float) -> list[str | None]:
        """Write the weights of the best validation by a figure.

        Returns:
            What was the best before, to be deleted; nothing if none is written.
        """
        hub = runner.message_hub
        names = [self._of_best(name, key) for name in ('best_score', 'best_ckpt')]
        before = [hub.get_info(name, None) for name in names]
        step = runner.epoch if self.by_epoch else runner.iter
        name = f'best_{key}_{self.filename_tmpl.format(step)}'.replace('/', '_')
        path = self.file_backend.join_path(self.out_dir, name)
        for info, value in zip(names, (score, path), strict=True):
            hub.update_info(info, value)
        meta = {'epoch': runner.epoch, 'iter': runner.iter}
        if not self._write(runner, name, meta, by_epoch=False, whole=False):
            for info, value in zip(names, before, strict=True):
                hub.update_info(info, value)
            return []
        self._set_best(key, path)
        runner.logger.info(
            f'The best checkpoint with {score:0.4f} {key} at {step} '
            f'{"epoch" if self.by_epoch else "iter"} is saved to {name}.'
        )
        return [before[1] if before[1] != path else None]

    def _write_state(
        self, runner: Runner, name: str, meta: dict[str, Any], *, by_epoch: bool
    ) -> bool:
        """Write the state of the training, and the file that names it.

        Returns:
            Whether it is written.
        """
        hub = runner.message_hub
        before = hub.get_info('last_ckpt', None)
        path = self.file_backend.join_path(self.out_dir, name)
        hub.update_info('last_ckpt', path)
        self._gradients = pending_gradients(runner)
        written = self._write(runner, name, meta, by_epoch=by_epoch)
        self._gradients = None
        self._written = time.monotonic()
        if not written:
            hub.update_info('last_ckpt', before)
            return False
        self.last_ckpt, self._written_at = path, meta['iter']
        return True

    def _write(
        self,
        runner: Runner,
        name: str,
        meta: dict[str, Any],
        *,
        by_epoch: bool,
        whole: bool = True,
    ) -> bool:
        """Write a checkpoint, unless the state is none to go on from.

        Args:
            runner: The runner.
            name: Name of the file.
            meta: What is known of it.
            by_epoch: As of :meth:`.Runner.save_checkpoint`.
            whole: Whether a training may go on from it.

        Returns:
            Whether it is written.

        Raises:
            M2DetError: In all processes, if it is not and that is to end the training.
        """
        if (problem := unsound(runner)) is not None:
            runner.logger.warning(f'{name} is not written, for {problem}.')
            return False
        failed: list[str | None] = [None]
        settings = dict(self.args) if whole else {}
        try:
            runner.save_checkpoint(
                self.out_dir,
                name,
                self.file_client_args,
                save_optimizer=whole and self.save_optimizer,
                save_param_scheduler=whole and self.save_param_scheduler,
                meta=meta,
                by_epoch=by_epoch,
                backend_args=self.backend_args,
                **settings,
            )
            if whole and is_main_process():
                self._note(runner, name)
        except M2DetError as error:
            failed = [str(error)]
        # Of several processes only the first writes.
        broadcast_object_list(failed)
        if failed[0] is None:
            return True
        if self.on_write_error == 'stop':
            last = self.last_ckpt or 'none'
            raise M2DetError(f'{failed[0]} The last checkpoint is {last}.')
        runner.logger.warning(f'{failed[0]} The training goes on, and tries again.')
        return False

    def _note(self, runner: Runner, name: str) -> None:
        """Name the last checkpoint, so that a moved folder finds its own."""
        path = self.file_backend.join_path(self.out_dir, name)
        if '://' not in str(path):
            path = os.path.relpath(path, runner.work_dir)
        write_whole(Path(runner.work_dir, NOTE), str(path))

    def _remove(self, path: str) -> None:
        if not is_main_process():
            return
        if self.file_backend.isfile(path):
            self.file_backend.remove(path)
        elif self.file_backend.isdir(path):
            # As DeepSpeed writes them.
            self.file_backend.rmtree(path)

    def _of_best(self, name: str, key: str) -> str:
        """Name of an entry in the message hub on the best checkpoint by a figure."""
        return name if len(self.key_indicators) == 1 else f'{name}_{key}'

    def _set_best(self, key: str, path: str | None) -> None:
        """Tell MMEngine's part of the hook, which publishes the best one."""
        if len(self.key_indicators) == 1:
            self.best_ckpt_path = path
        else:
            self.best_ckpt_path_dict[key] = path

    def _own(self, runner: Runner, key: str) -> str | None:
        """Return this run's file of the name that the message hub has, if there is one.

        The message hub then has its path.
        """
        known = runner.message_hub.get_info(key, None)
        if known is None:
            return None
        name = PurePath(known).name
        # A name may be as long as a file, and searching it takes the square of that.
        number = re.search(r'(\d+)\D*$', name) if len(name) < _LONGEST else None
        tail = self.filename_tmpl.format(int(number[1])) if number else None
        path = self.file_backend.join_path(self.out_dir, name)
        ours = name in (tail, BETWEEN) or (
            name.startswith('best_') and name.endswith(f'_{tail}')
        )
        if not (ours and self.file_backend.isfile(path)):
            runner.message_hub.pop_info(key)
            return None
        runner.message_hub.update_info(key, path)
        return path
