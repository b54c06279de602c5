"""Weights by name: in the package, to download, or to convert."""

from .entries import ENTRIES, ZooEntry
from .finding import (
    SCHEME,
    file_of,
    find_entry,
    find_weights,
    is_in_zoo,
    similar_weights,
)

__all__ = [
    'ENTRIES',
    'SCHEME',
    'ZooEntry',
    'file_of',
    'find_entry',
    'find_weights',
    'is_in_zoo',
    'similar_weights',
]
