"""Stops a run whose head and data set disagree on the number of classes."""

from mmdet.datasets import BaseVideoDataset
from mmdet.models.dense_heads import GARPNHead, RPNHead
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from ...datasets.error import DatasetError

# Parts of detectors whose heads separate only objects from background, and heads that
# do so anywhere, as in an RPN that stands alone.
_AGNOSTIC = {'rpn_head', 'arm_head'}
_AGNOSTIC_HEADS = (GARPNHead, RPNHead)


@HOOKS.register_module()
class ClassCheckHook(Hook):
    """Compares ``num_classes`` of each head with the classes of the data set.

    It replaces mmdet's ``NumClassCheckHook``, which does not check tests and does not
    say what to change.

    Raises:
        DatasetError: One sentence that names the head, both numbers and the fix.
    """

    def before_train_epoch(self, runner: Runner) -> None:
        """Check before training."""
        check_classes(runner.model, runner.train_dataloader.dataset)

    def before_val_epoch(self, runner: Runner) -> None:
        """Check before validation."""
        check_classes(runner.model, runner.val_dataloader.dataset)

    def before_test_epoch(self, runner: Runner) -> None:
        """Check before a test."""
        check_classes(runner.model, runner.test_dataloader.dataset)


def check_classes(model: nn.Module, dataset: Dataset) -> None:
    """Compare the heads of ``model`` with ``dataset.metainfo['classes']``.

    In a panoptic data set some heads predict only its ``thing_classes``. Videos are not
    checked: their data sets name what was annotated, not what is tracked.

    Raises:
        DatasetError: If a head predicts another number of classes.
    """
    metainfo = getattr(dataset, 'metainfo', {})
    classes = metainfo.get('classes')
    if classes is None or isinstance(dataset, BaseVideoDataset):
        return
    fitting = (None, len(classes), len(metainfo.get('thing_classes', classes)))
    for name, module in model.named_modules():
        if not isinstance(module, (BaseDenseHead, BBoxHead)):
            continue
        names = name.removeprefix('module.').split('.')
        agnostic = isinstance(module, _AGNOSTIC_HEADS) or _AGNOSTIC.intersection(names)
        number = getattr(module, 'num_classes', None)
        if agnostic or number in fitting:
            continue
        path = '.'.join(['model', *names])
        raise DatasetError(
            f'{path} predicts {number} classes, but the data set has '
            f'{len(classes)} ({", ".join(classes)}): set {path}.num_classes='
            f'{len(classes)}, or metainfo.classes of all data sets.'
        )
