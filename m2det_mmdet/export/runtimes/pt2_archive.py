"""What is checked of an archive of torch.export before PyTorch reads it.

``torch.export.load`` unpickles what an archive says, evaluates its texts of sizes as
Python, calls the functions that its nodes name, and loads compiled libraries in it. An
export of this package needs none of that: only raw tensors, operators of PyTorch and
sums of sizes, and nothing else is let through.
"""

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import torch

from ...ops.failures import reason_of
from ...utils.texts import shown
from ..errors import ExportError
from ..pt2_file import EXTRA

_EXTRA = f'extra/{EXTRA}'
_PROGRAM = 'models/model.json'
_EXAMPLE = 'data/sample_inputs/model.pt'
_PAYLOADS = {
    'data/weights/model_weights_config.json': re.compile(r'weight_\d+'),
    'data/constants/model_constants_config.json': re.compile(r'tensor_\d+'),
}
# Without pickles of older versions, objects, and libraries.
_PARTS = re.compile(
    r'data/weights/weight_\d+|data/constants/tensor_\d+|archive_(format|version)'
    r'|byteorder|\.data/(version|serialization_id)|'
    + '|'.join(map(re.escape, (_EXTRA, _PROGRAM, _EXAMPLE, *_PAYLOADS)))
)
_TARGETS = re.compile(
    r'torch\.ops\.aten\.(?!from_file\b)\w+\.\w+'
    r'|torch\.ops\.higher_order\.(while_loop|cond)'
    r'|_operator\.(add|sub|mul|floordiv|truediv|mod|pow|neg|getitem'
    r'|eq|ne|lt|le|gt|ge|and_|or_)'
    r'|torch\.sym_(max|min|not|float|int|sum|ite)|math\.(ceil|floor|trunc)'
)
_SYMBOL = r"Symbol\('[a-z]+\d+'(, (positive|nonnegative)=True)?(, integer=True)?\)"
_FUNCTIONS = (
    'Integer|Add|Mul|Max|Min|Mod|PythonMod|FloorDiv|CleanDiv|CeilDiv|CeilToInt'
    '|FloorToInt|TruncToInt|ToFloat|IntTrueDiv|FloatTrueDiv|ModularIndexing|Where'
    '|Equality|Unequality|GreaterThan|LessThan|StrictGreaterThan|StrictLessThan'
    '|And|Or|Not|true|false'
)
# An expression of sizes, as sympy writes it.
_SIZES = re.compile(
    rf'({_SYMBOL}|Pow\({_SYMBOL}, Integer\(\d\)\)|\b({_FUNCTIONS})\b'
    r'|-?\b\d{1,20}\b|[(), ])+'
)
_TREES = ('builtins.tuple', 'builtins.list', 'builtins.dict', None)


class _ForeignError(Exception):
    """A part of an archive is no plain data."""


def metadata_text(path: Path) -> str | None:
    """Return the text of an archive on itself; ``None`` if it has none.

    Raises:
        ExportError: If it is no archive.
    """
    with _opened(path) as parts:
        return parts.text(_EXTRA) if _EXTRA in parts.names else None


def check_archive(path: Path) -> None:
    """Stop where reading an archive would run code of it.

    Raises:
        ExportError: If it has a part that is no plain data.
    """
    with _opened(path) as parts:
        if foreign := [x for x in parts.names if not _PARTS.fullmatch(x)]:
            raise _ForeignError(f'it holds {shown(foreign[0])}')
        for name, pattern in _PAYLOADS.items():
            for payload in json.loads(parts.text(name))['config'].values():
                path_name = payload['path_name']
                if payload['use_pickle'] or not pattern.fullmatch(path_name):
                    raise _ForeignError(f'it holds the pickle {shown(path_name)}')
        _check_example(parts.content(_EXAMPLE))
        _check_program(json.loads(parts.text(_PROGRAM)))


class _Parts:
    """The parts of an archive by their names, all of which have one folder."""

    def __init__(self, archive: ZipFile) -> None:
        names = archive.namelist()
        self._archive, self._root = archive, names[0].partition('/')[0] + '/'
        self.names = [x.removeprefix(self._root) for x in names]
        packed = any(x.compress_type != ZIP_STORED for x in archive.infolist())
        # PyTorch stores parts as they are; a packed one may be of any size.
        if packed or len({*names}) < len(names):
            raise _ForeignError('its parts are packed, or there twice')

    def content(self, name: str) -> bytes:
        return self._archive.read(self._root + name)

    def text(self, name: str) -> str:
        return self.content(name).decode()


@contextmanager
def _opened(path: Path) -> Iterator[_Parts]:
    """Open an archive.

    Raises:
        ExportError: In the place of what reading it raises.
    """
    try:
        with ZipFile(path) as archive:
            yield _Parts(archive)
    except OSError:
        raise
    except _ForeignError as error:
        raise ExportError(
            f'{path} was not used: {error}, by which it might run code; export the '
            'detector again.'
        ) from None
    except Exception as error:
        raise ExportError(
            f'{path} cannot be read ({reason_of(error)}): it is damaged, or not of '
            'torch.export; export the detector again.'
        ) from error


def _check_example(content: bytes) -> None:
    """Stop where the inputs of an example are more than tensors."""
    try:
        torch.load(io.BytesIO(content), weights_only=True)
    except Exception:
        raise _ForeignError('its example holds more than tensors') from None


def _check_program(program: Any) -> None:
    """Stop where a program calls or evaluates what is not known."""
    for key, value in _settings(program):
        if key == 'target' and not _TARGETS.fullmatch(value):
            raise _ForeignError(f'it calls {shown(value)}')
        if key == 'expr_str' and not _SIZES.fullmatch(value):
            raise _ForeignError(f'it evaluates {shown(value)}')
        if key in ('in_spec', 'out_spec', 'as_custom_obj', 'as_operator') and value:
            _check_tree(key, value)


def _check_tree(key: str, value: Any) -> None:
    """Stop where arguments are not within tuples, lists and dicts."""
    tree = json.loads(value) if key.endswith('_spec') else value
    kinds = [x for name, x in _settings(tree) if name == 'type']
    if not key.endswith('_spec') or any(kind not in _TREES for kind in kinds):
        raise _ForeignError(f'it holds the object {shown(value)}')


def _settings(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the keys and values of all dicts within a value."""
    if isinstance(value, dict):
        yield from value.items()
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _settings(inner)
