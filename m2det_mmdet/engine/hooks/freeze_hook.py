"""Keeps parts of a detector as they are in training."""

from collections.abc import Sequence
from typing import Any

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from ...utils.errors import M2DetError


@HOOKS.register_module()
class FreezeHook(Hook):
    """Freezes modules: no gradients, and norms and dropout as in a test.

    Args:
        modules: Dotted names of modules of the detector: ``backbone``, ``neck``,
            ``backbone.layer1``.

    Raises:
        M2DetError: At the start, if there is no such module, or nothing is left to
            learn.
    """

    def __init__(self, modules: Sequence[str]) -> None:
        self.modules = tuple(modules)

    def before_train(self, runner: Runner) -> None:
        """Stop the gradients."""
        self._frozen = self._find(runner)
        for module in self._frozen:
            module.requires_grad_(False)
        if not any(x.requires_grad for x in runner.model.parameters()):
            raise M2DetError(
                f'With {", ".join(self.modules)} frozen nothing is left to learn: '
                'freeze less.'
            )

    def before_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        """Let the modules work as in a test.

        The loops set all modules to training after each earlier point.
        """
        for module in self._frozen:
            module.eval()

    def _find(self, runner: Runner) -> list[nn.Module]:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        known = dict(model.named_modules())
        unknown = [name for name in self.modules if name not in known or not name]
        if unknown:
            parts = ', '.join(name for name, _ in model.named_children())
            raise M2DetError(
                f'The detector has no module {unknown[0]} to freeze: it has {parts}.'
            )
        return [known[name] for name in self.modules]
