"""The weights that a training starts from, found before anything is built."""

import logging
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from torch import nn

from ..checkpoints.pretrained import fetch_pretrained, without_covered
from ..checkpoints.statistics import check_statistics
from ..checkpoints.weights import state_dict_of, tensors_of
from ..utils.logs import quiet_log


def prepare_weights(
    cfg: Config, structure: nn.Module, checkpoint: Mapping[str, Any] | None
) -> None:
    """Fetch what a training starts from, and warn where the pixels do not belong to it.

    Parts of the model whose weights are all in the checkpoint start from nothing else:
    that is taken out of ``cfg``, and nothing is downloaded for them.

    Args:
        cfg: The config.
        structure: Its model, without values.
        checkpoint: What ``load_from`` holds, if it is set.

    Raises:
        CheckpointError: If weights cannot be had: one sentence with the ways on.
    """
    if checkpoint is not None:
        weights = tensors_of(state_dict_of(checkpoint))
        expected = tensors_of(structure.state_dict())
        cfg.model = without_covered(cfg.model, weights, expected)
    fetch_pretrained(cfg.model)
    for sentence in check_statistics(cfg):
        print_log(sentence, logger=quiet_log(), level=logging.WARNING)
