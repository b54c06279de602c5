"""Train and test in the channels-last memory format."""

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch.nn.parallel import DistributedDataParallel

from ...models.utils.memory_format import to_channels_last


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Store the model's 4-d weights channels last; its maps then follow.

    Results change only by rounding. On a CPU convolutions of few channels are faster.

    For several processes the runner has wrapped the model before, and the wrapper has
    laid out the gradients like the weights of that moment. It would copy every gradient
    to its layout, so that the model gets a new wrapper.
    """

    # Before hooks that keep the runner's model, or copy it.
    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Convert the model of ``runner``."""
        wrapped = isinstance(runner.model, DistributedDataParallel)
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        to_channels_last(model)
        if wrapped:
            runner.model = runner.wrap_model(runner.cfg.get('model_wrapper_cfg'), model)
