"""Data sets, transforms, and the generator of the demo's scenes."""

from .coco import CheckedCocoDataset, DatasetError
from .deep_images import LoadDeepImageFromFile
from .transforms import SSDPhotometricDistortion

__all__ = [
    'CheckedCocoDataset',
    'DatasetError',
    'LoadDeepImageFromFile',
    'SSDPhotometricDistortion',
]
