"""The text of a config that MMEngine keeps in checkpoints, read as data.

The text is Python, which MMEngine would run. Here it is parsed, and what is not plain
data is refused: nothing of it runs. Its tokens are checked before it is parsed, for a
parser's memory and stack are at the mercy of nested operators.
"""

import ast
import io
import keyword
import re
import tokenize
from typing import Any

from ..utils.texts import shown
from .errors import Refusal

# Configs of detectors have a tenth of that, and are a dozen levels deep.
_LONGEST = 10**6
_DEEPEST = 60
_LONGEST_NUMBER = 40
_LONGEST_PATH = 12
# Texts with expressions in them are left to no parser.
_TEXT = re.compile(r'[rRuU]?["\']')
_OPENING, _CLOSING = frozenset('([{'), frozenset(')]}')
_SIGNS = frozenset('=,:-.') | _OPENING | _CLOSING
_CONSTANTS = {'None', 'True', 'False'}
# As MMEngine writes them, and as Python has them.
_NUMBERS = {'inf': float('inf'), 'nan': float('nan')}
_LAYOUT = {tokenize.NEWLINE, tokenize.NL, tokenize.COMMENT, tokenize.ENDMARKER}
# What a bracket may follow; else it would call or index something.
_BEFORE_BRACKET = {'=', ',', ':', *_OPENING}
_CALLED = {'dict', 'float'}


def read_config_text(text: str) -> dict[str, Any]:
    """Read ``name = value`` lines whose values are plain data.

    That is: texts, numbers, ``None``, booleans, lists, tuples, dicts and ``dict(...)``
    with names. A ``type`` may be a class, of which the dotted name is returned.

    Raises:
        Refusal: If there is anything else, too much, or nothing.
    """
    if len(text) > _LONGEST:
        raise Refusal(f'its config has {len(text)} letters, above {_LONGEST}')
    try:
        _check_tokens(text)
        # It raises ValueError for a zero byte.
        statements = ast.parse(text).body
    except (
        SyntaxError,
        ValueError,
        RecursionError,
        MemoryError,
        tokenize.TokenError,
    ) as error:
        raise Refusal('its config is no Python') from error
    return dict(_assigned(statement) for statement in statements)


def _check_tokens(text: str) -> None:
    """Refuse what no config of plain data needs, before a parser sees it."""
    depth, dots, previous = 0, 0, ''
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in _LAYOUT:
            continue
        sign = token.string
        if not _is_plain(token, previous):
            found = previous + sign if sign in _OPENING else sign
            raise Refusal(
                f'line {token.start[0]} of its config holds {shown(found)}, which is '
                'no plain data'
            )
        depth += (sign in _OPENING) - (sign in _CLOSING)
        if depth > _DEEPEST:
            raise Refusal(f'its config is more than {_DEEPEST} levels deep')
        dots = dots + (sign == '.') if token.type == tokenize.NAME or sign == '.' else 0
        if dots > _LONGEST_PATH:
            raise Refusal('its config holds a name of too many parts')
        previous = sign


def _is_plain(token: tokenize.TokenInfo, previous: str) -> bool:
    """Whether a token, after the previous one, may be part of plain data."""
    sign = token.string
    if token.type == tokenize.NAME:
        return not keyword.iskeyword(sign) or sign in _CONSTANTS
    if token.type == tokenize.NUMBER:
        return len(sign) <= _LONGEST_NUMBER
    if token.type == tokenize.STRING:
        return _TEXT.match(sign) is not None
    if sign == '(' and previous in _CALLED:
        return True
    if sign in _OPENING:
        return previous in _BEFORE_BRACKET
    return sign in _SIGNS and not sign == previous == '-'


def _assigned(statement: ast.stmt) -> tuple[str, Any]:
    """Return the name and the value of a statement that assigns."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Name):
            return target.id, _value(statement.value)
    raise _no_data(statement)


def _value(node: ast.expr) -> Any:
    """Return what an expression stands for."""
    match node:
        case ast.Constant(value=str() | bool() | int() | float() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float())):
            return -node.operand.value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Name(id='inf' | 'nan' as name)):
            return -_NUMBERS[name]
        case ast.Name(id='inf' | 'nan' as name):
            return _NUMBERS[name]
        case ast.List():
            return [_value(item) for item in node.elts]
        case ast.Tuple():
            return tuple(_value(item) for item in node.elts)
        case ast.Dict():
            return {
                _key(key, node): _item(key, value)
                for key, value in zip(node.keys, node.values, strict=True)
            }
        case ast.Call(
            func=ast.Name(id='dict'), args=[ast.Dict() as given], keywords=[]
        ):
            return _value(given)
        case ast.Call(func=ast.Name(id='dict'), args=[]):
            return {
                _name(keyword, node): _item(ast.Constant(keyword.arg), keyword.value)
                for keyword in node.keywords
            }
        case ast.Call(
            func=ast.Name(id='float'),
            args=[ast.Constant(value='inf' | '-inf' | 'nan' as name)],
            keywords=[],
        ):
            return float(name)
    raise _no_data(node)


def _key(node: ast.expr | None, owner: ast.expr) -> str | int:
    match node:
        case ast.Constant(value=str() | int() as value):
            return value
    raise _no_data(node or owner)


def _name(given: ast.keyword, owner: ast.expr) -> str:
    """Name of an argument of ``dict``; two stars before one have none."""
    if given.arg is None:
        raise _no_data(owner)
    return given.arg


def _item(key: ast.expr | None, value: ast.expr) -> Any:
    """Return a value, of which a class that is a ``type`` is told by its name."""
    is_type = isinstance(key, ast.Constant) and key.value == 'type'
    if is_type and isinstance(value, ast.Name | ast.Attribute):
        return _dotted(value)
    return _value(value)


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f'{_dotted(node.value)}.{node.attr}'
    if isinstance(node, ast.Name):
        return node.id
    raise _no_data(node)


def _no_data(node: ast.AST) -> Refusal:
    line = getattr(node, 'lineno', '?')
    return Refusal(
        f'line {line} of its config holds {shown(ast.unparse(node))}, which is no '
        'plain data'
    )
