"""Folders of detection data in COCO's, VOC's or YOLO's form, read as COCO.

``forms`` has one file for each form, ``conversion`` writes VOC's and YOLO's labels as
COCO JSON, ``images`` finds and measures images, and ``layout`` recognises the form and
checks what all forms have in common.
"""

from .layout import DataLayout, Split, read_layout

__all__ = ['DataLayout', 'Split', 'read_layout']
