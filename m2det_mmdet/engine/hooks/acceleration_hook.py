"""Tests with a faster copy of the network."""

from copy import deepcopy

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from ...models.acceleration import accelerate, check_arguments


@HOOKS.register_module()
class AccelerationHook(Hook):
    """Runs :func:`.accelerate` only for tests.

    A test uses a copy, made after the weights are loaded and checked, and after other
    hooks have swapped them, as ``EMAHook`` does. Training and validation use the model
    itself; the runner gets it back after the test.

    Args:
        fold_norm: Whether to multiply batch norms into convolutions.
        channels_last: Whether to store weights channels last.
        compile: Whether to compile the network, or arguments of ``torch.compile``.
        autocast: Lower precision inside the network, or ``None``.

    Raises:
        ValueError: If ``compile`` or ``autocast`` has another value.
    """

    # After hooks that swap weights.
    priority = 'LOW'

    def __init__(
        self,
        *,
        fold_norm: bool = True,
        channels_last: bool = True,
        compile: bool | dict = False,
        autocast: str | None = None,
    ) -> None:
        check_arguments(compile, autocast)
        self.arguments = {
            'fold_norm': fold_norm,
            'channels_last': channels_last,
            'compile': compile,
            'autocast': autocast,
        }

    def before_test_epoch(self, runner: Runner) -> None:
        """Put the faster copy in the model's place."""
        self._model = runner.model
        detector = runner.model
        if is_model_wrapper(detector):
            detector = detector.module
        fast = deepcopy(detector)
        fast.eval()
        runner.model = accelerate(fast, **self.arguments)

    def after_test_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Put the model back."""
        runner.model = self._model
        del self._model
