"""Writes checkpoints, and deletes no files but those that it has written."""

import re
from pathlib import PurePath

from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import BaseLoop, Runner

from ...checkpoints.resuming import check_resumable

# No file system has longer names.
_LONGEST = 256


# Also of mmdet's own configs, which name it or name no hook of the kind.
@HOOKS.register_module(name='CheckpointHook', force=True)
class OwnCheckpointHook(CheckpointHook):
    """MMEngine's hook, which believes nothing that a resumed checkpoint says.

    MMEngine deletes the file or the folder that the checkpoint calls the best one as
    soon as a better one is found. Here it is the file of that name in the folder of
    this run's checkpoints, or none.

    Raises:
        CheckpointError: If a training cannot go on from the checkpoint.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check what a resumed training takes from the checkpoint."""
        if runner._resume and isinstance(runner._train_loop, BaseLoop):
            check_resumable(checkpoint, runner)

    def before_train(self, runner: Runner) -> None:
        """Find the last and the best checkpoint in this run's folder."""
        super().before_train(runner)
        self._own(runner, 'last_ckpt')
        if not self.save_best:
            return
        if len(self.key_indicators) == 1:
            self.best_ckpt_path = self._own(runner, 'best_ckpt')
        else:
            for key in self.best_ckpt_path_dict:
                self.best_ckpt_path_dict[key] = self._own(runner, f'best_ckpt_{key}')

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
        ours = name == tail or (name.startswith('best_') and name.endswith(f'_{tail}'))
        if not (ours and self.file_backend.isfile(path)):
            runner.message_hub.pop_info(key)
            return None
        runner.message_hub.update_info(key, path)
        return path
