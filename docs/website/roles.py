"""Links and roles, which docstrings have as Sphinx writes them, as Markdown."""

import re

_LINK = re.compile(r'`([^`<]+?)\s+<([^>`]+)>`_+')
_ROLE = re.compile(r':\w+:`(?:[^`<]*<)?[.~!]*([^`>]+)>?`')


def as_markdown(text: str) -> str:
    """Return a docstring with Markdown's links, and code in the place of roles."""
    return _ROLE.sub(r'`\1`', _LINK.sub(r'[\1](\2)', text))
