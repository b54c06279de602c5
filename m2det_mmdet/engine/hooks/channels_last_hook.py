"""Train and test in the channels-last memory format."""

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...models.utils.memory_format import to_channels_last


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Store the model's 4-d weights channels last, which convolutions then keep.

    It changes no result beyond rounding. Convolutions of few channels run
    faster so on a CPU.
    """

    def before_run(self, runner: Runner) -> None:
        """Convert the model of ``runner``."""
        to_channels_last(runner.model)
