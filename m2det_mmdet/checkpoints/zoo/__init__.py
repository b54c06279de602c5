"""Weights by name: in the package, to download, or to convert."""

from .entries import ENTRIES, Entry
from .finding import SCHEME, find_entry, find_weights, similar_weights

__all__ = [
    'ENTRIES',
    'SCHEME',
    'Entry',
    'find_entry',
    'find_weights',
    'similar_weights',
]
