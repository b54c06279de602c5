"""Data sets, and the generator of the demo's."""

from .coco import CheckedCocoDataset, DatasetError

__all__ = ['CheckedCocoDataset', 'DatasetError']
