"""HTML that holds all of its pictures, and templates of it."""

import base64
import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

_COMMAND = re.compile('`([^`]+)`')


def templates_in(folder: Path) -> Environment:
    """Return the templates of a folder; what they are given is text, not HTML.

    Their filter ``commands`` sets what stands between backticks as a command.
    """
    # Names of files and classes may hold anything.
    templates = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters['commands'] = _commands
    return templates


def data_address(kind: str, data: bytes) -> str:
    """Return an address that holds a file itself, so that none has to be fetched.

    Args:
        kind: Its media type, such as ``image/jpeg``.
        data: What is in it.
    """
    return f'data:{kind};base64,{base64.b64encode(data).decode()}'


def _commands(sentence: str) -> Markup:
    return Markup(_COMMAND.sub(r'<code>\1</code>', str(escape(sentence))))
