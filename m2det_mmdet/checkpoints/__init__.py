"""Checkpoints: loaded safely, and compared with a model."""

from .differences import differences
from .errors import CheckpointError
from .loading import install, load_safely
from .sources import check_checkpoint
from .weights import WeightsError, check_weights, state_dict_of

__all__ = [
    'CheckpointError',
    'WeightsError',
    'check_checkpoint',
    'check_weights',
    'differences',
    'install',
    'load_safely',
    'state_dict_of',
]
