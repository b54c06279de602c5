"""Checkpoints: loaded safely, and compared with a model."""

from .errors import CheckpointError
from .loading import check_checkpoint, install, load_safely
from .weights import WeightsError, check_weights, state_dict_of

__all__ = [
    'CheckpointError',
    'WeightsError',
    'check_checkpoint',
    'check_weights',
    'install',
    'load_safely',
    'state_dict_of',
]
