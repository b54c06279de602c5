"""Data sets, transforms, and the generator of the demo's scenes."""

from .coco import CheckedCocoDataset, DatasetError
from .transforms import SSDPhotometricDistortion

__all__ = ['CheckedCocoDataset', 'DatasetError', 'SSDPhotometricDistortion']
