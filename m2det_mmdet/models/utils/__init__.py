"""What the parts of detectors share."""

from .channels import check_channels
from .defaults import FrozenConfig
from .memory_format import to_channels_last
from .rows import flatten_maps, within_ignored
from .suppression import (
    check_suppression,
    row_per_image,
    select,
    suppress,
    suppression_options,
)

__all__ = [
    'FrozenConfig',
    'check_channels',
    'check_suppression',
    'flatten_maps',
    'row_per_image',
    'select',
    'suppress',
    'suppression_options',
    'to_channels_last',
    'within_ignored',
]
