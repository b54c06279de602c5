"""Leaves the weights of a training as a file that holds nothing that runs."""

from pathlib import Path

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from ...checkpoints.loading import load_with_config
from ...checkpoints.publishing import (
    SAFETENSORS,
    classes_and_colours,
    weights_alone,
    write_weights,
)

# Names, and where the message hub has the checkpoints of MMEngine's hook.
NAMES = {'best.safetensors': 'best_ckpt', 'last.safetensors': 'last_ckpt'}

# Where the message hub then has the file.
WRITTEN = 'weights_alone'


@HOOKS.register_module()
class SafetensorsHook(Hook):
    """Writes ``best.safetensors`` at the end of a training, else ``last.safetensors``.

    It holds the weights of that checkpoint, the names and colours of the classes and
    the config: what predicts, and nothing to go on from. The checkpoints stay.

    Raises:
        M2DetError: If the file cannot be written.
    """

    # After those that write and name checkpoints.
    priority = 'LOWEST'

    def after_train(self, runner: Runner) -> None:
        """Write the file."""
        if runner.rank != 0:
            return
        for name, key in NAMES.items():
            known = runner.message_hub.get_info(key, None)
            if not known or not Path(known).is_file():
                continue
            checkpoint, config = load_with_config(known, 'cpu')
            path = Path(runner.work_dir, name)
            write_weights(
                path,
                weights_alone(checkpoint),
                classes_and_colours(checkpoint),
                config,
                form=SAFETENSORS,
            )
            runner.message_hub.update_info(WRITTEN, str(path))
            print_log(f'The weights of {known} were written to {path}.', 'current')
            return
