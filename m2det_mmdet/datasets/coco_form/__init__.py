"""The form of annotation files: checked, or mended as far as the truth is certain.

``rules`` says what a file must hold. ``check`` stops at the first value that breaks a
rule. ``mending`` mends what it can and reports the rest: ``values`` those of single
entries, ``ids`` what they name each other by.
"""

from .check import check_annotations
from .mending import mend_annotations

__all__ = ['check_annotations', 'mend_annotations']
