"""Docstrings as Markdown, for mkdocstrings."""

from typing import Any

from griffe import Extension, Object
from roles import as_markdown


class MarkdownDocstrings(Extension):
    """Turns links and roles of docstrings into Markdown before they are parsed."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Change the docstring of an object."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)
