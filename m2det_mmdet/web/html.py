"""Parts of the page as HTML, with all pictures in it.

Pictures in the text need no file that would have to wait for the browser to fetch it.
"""

import base64
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..apis import Prediction
from .levels import LabelledPicture

_QUALITY = 90  # of JPEG, from 0 to 100


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
        picture=_photo(picture),
        download=_address('application/json', records),
    )


def levels_html(rows: Sequence[Sequence[LabelledPicture]]) -> str:
    """Return pictures row by row, each with its label."""
    rows = [[(x.label, _photo(x.picture)) for x in row] for row in rows]
    return _render('levels.html', rows=rows)


def note_html(sentence: str, *, problem: bool = False) -> str:
    """Return a sentence, in the place of a picture."""
    return _render('note.html', sentence=sentence, problem=problem)


def _photo(picture: np.ndarray) -> str:
    _, data = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return _address('image/jpeg', data.tobytes())


def _address(kind: str, data: bytes) -> str:
    return f'data:{kind};base64,{base64.b64encode(data).decode()}'


def _render(name: str, **values: object) -> str:
    return _environment().get_template(name).render(values)


@cache
def _environment() -> Environment:
    # Names of files and classes may hold anything.
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
