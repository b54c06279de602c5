"""Folders of detection data in COCO's, VOC's or YOLO's form, read as COCO.

``coco``, ``voc`` and ``yolo`` know a form each, ``conversion`` writes the last two as
COCO JSON, ``images`` finds and measures images, and ``layout`` recognises the form
and checks what is common to all.
"""

from .layout import DataLayout, Split, read_layout

__all__ = ['DataLayout', 'Split', 'read_layout']
