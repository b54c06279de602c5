"""Ends a training that gets no better, also one that was resumed."""

from mmengine.hooks import EarlyStoppingHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ...checkpoints.errors import UnresumableError
from ...utils.texts import shown
from ...utils.values import is_count, is_number

WAITED, BEST = 'early_stopping_waited', 'early_stopping_best'


@HOOKS.register_module(name='EarlyStoppingHook', force=True)
class ResumableEarlyStoppingHook(EarlyStoppingHook):
    """MMEngine's hook, whose count is in the checkpoints.

    MMEngine's begins to count anew when a training is resumed.
    """

    # Before the hook that writes checkpoints.
    priority = 'LOW'

    def before_train(self, runner: Runner) -> None:
        """Go on with the count of an interrupted training.

        Raises:
            UnresumableError: If it is none.
        """
        hub = runner.message_hub
        waited = hub.get_info(WAITED, self.wait_count)
        best = hub.get_info(BEST, self.best_score)
        for key, value, fits in (
            (WAITED, waited, is_count(waited)),
            (BEST, best, is_number(best) or best == self.best_score),
        ):
            if not fits:
                raise UnresumableError(f'message_hub.runtime_info.{key}', shown(value))
        self.wait_count, self.best_score = waited, best
        limit = self.stopping_threshold
        is_reached = limit is not None and self.rule_map[self.rule](best, limit)
        if waited >= self.patience or is_reached:
            runner.train_loop.stop_training = True

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Count, and stop where the patience is at its end."""
        super().after_val_epoch(runner, metrics)
        runner.message_hub.update_info(WAITED, self.wait_count)
        runner.message_hub.update_info(BEST, self.best_score)
