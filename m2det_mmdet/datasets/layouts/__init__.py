"""Folders of detection data in COCO's, VOC's or YOLO's form, read as COCO.

``recognition`` finds the form of a folder, and ``forms`` has one file or more for each.
``folder`` reads one into memory, with all that is wrong with it, ``splitting`` divides
it where it names no images to validate on, and ``layout`` writes what a config names.
"""

from .layout import DataLayout, Split, read_layout, split_in_file, write_folder

__all__ = ['DataLayout', 'Split', 'read_layout', 'split_in_file', 'write_folder']
