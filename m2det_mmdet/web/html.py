"""Parts of the page as HTML, with all pictures in it.

Pictures in the text need no file that would have to wait for the browser to fetch it.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
from jinja2 import Environment

from ..apis import Prediction
from ..report.page import photo
from ..utils.html import data_address, templates_in


def found_html(found: Prediction, picture: np.ndarray) -> str:
    """Return the boxes of a picture: drawn, as a table, and as a file to download.

    Args:
        found: The boxes.
        picture: The picture with them, BGR.
    """
    records = json.dumps(found.to_coco(), indent=2).encode()
    return _render(
        'found.html',
        found=found,
        picture=photo(picture, f'{found.path.name} with its boxes'),
        download=data_address('application/json', records),
    )


def note_html(sentence: str, *, problem: bool = False) -> str:
    """Return a sentence, in the place of a picture."""
    return _render('note.html', sentence=sentence, problem=problem)


def _render(name: str, **values: object) -> str:
    return _environment().get_template(name).render(values)


@cache
def _environment() -> Environment:
    return templates_in(Path(__file__).parent)
