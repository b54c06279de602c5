"""Docstrings as Markdown: links and roles are written as Sphinx has them."""

import re
from typing import Any

from griffe import Extension, Object

_LINK = re.compile(r'`([^`<]+?)\s+<([^>`]+)>`_+')
_ROLE = re.compile(r':\w+:`(?:[^`<]*<)?[.~!]*([^`>]+)>?`')


class MarkdownDocstrings(Extension):
    """Turns links and roles of reStructuredText into Markdown."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Change the docstring of an object."""
        if obj.docstring:
            text = _LINK.sub(r'[\1](\2)', obj.docstring.value)
            obj.docstring.value = _ROLE.sub(r'`\1`', text)
