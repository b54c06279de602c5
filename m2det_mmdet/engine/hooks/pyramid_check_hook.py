"""Stops a run if the neck does not make the maps that the heads expect."""

from mmdet.models.detectors.base import BaseDetector
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...models.pyramid_check import Watch


@HOOKS.register_module()
class PyramidCheckHook(Hook):
    """Compares the maps of the first image with the maps that the heads expect.

    It puts a :class:`.Watch` on every detector in the model, and removes it after the
    first iteration of each epoch of training, validation and test. A detector with a
    neck of this package is watched at its first image without this hook, too.

    It does not check heads without priors, such as DETR's, nor models that
    :func:`torch.compile` compiles as a whole.

    Raises:
        PyramidError: One sentence that names both sides, their numbers and the fix.
    """

    # After hooks that replace the runner's model.
    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self._watches: list[Watch] = []

    def _before_epoch(self, runner: Runner, mode: str = 'train') -> None:
        """Start the watches."""
        self._end()
        for path, module in runner.model.named_modules():
            if isinstance(module, BaseDetector) and hasattr(module, 'backbone'):
                names = [name for name in path.split('.') if name not in ('', 'module')]
                self._watches.append(Watch(module, '.'.join(['model', *names])))

    def _after_iter(self, runner: Runner, *args, **kwargs) -> None:  # noqa: ANN002, ANN003
        """End the watches."""
        self._end()

    def _end(self) -> None:
        for watch in self._watches:
            watch.end()
        self._watches = []
