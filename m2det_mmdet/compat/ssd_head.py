"""Lets MMDetection's ``SSDHead`` predict.

Since version 3.1 MMDetection's heads ask their ``loss_cls`` how scores become
probabilities. ``SSDHead`` has no such module, so that a test ends in an error
(`mmdetection 11063 <https://github.com/open-mmlab/mmdetection/issues/11063>`_).
"""

import logging
from functools import wraps
from typing import Any

from mmdet.models.dense_heads import SSDHead
from mmengine.logging import print_log

_init = SSDHead.__init__


def install() -> None:
    """Give each new ``SSDHead`` an empty ``loss_cls`` where it has none."""
    SSDHead.__init__ = _init_with_loss


@wraps(_init)
def _init_with_loss(self: SSDHead, *args: Any, **kwargs: Any) -> None:
    _init(self, *args, **kwargs)
    # Not on the class: it would hide the loss module that a derived head makes.
    if not hasattr(self, 'loss_cls'):
        self.loss_cls = None
        message = f'{type(self).__name__} gets loss_cls=None, so that it can predict.'
        print_log(message, logger='current', level=logging.DEBUG)
