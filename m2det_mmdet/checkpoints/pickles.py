"""What is checked of a pickle before it is read: how large it grows.

A tuple that stands twice in a tuple that stands twice in a tuple is a billion values
after thirty levels. In memory each is one object, but Python's hash, and the texts of
torch's errors, go through all of them.
"""

import pickletools
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from .archives import is_archive, pickles_in
from .errors import Refusal

# Values, with those that stand in several places counted in each.
_MOST = 2**23
# Steps of one pickle, a hundred times those of a training's, and marks that wait for an
# end: torch takes seconds for a million of either.
_STEPS = 2**21
_MARKS = 1000
# Pickles at the begin of a file in torch's format before 1.6.
_LEGACY = 5
_PUT = ('PUT', 'BINPUT', 'LONG_BINPUT')
_GET = ('GET', 'BINGET', 'LONG_BINGET')
_FILL = ('APPEND', 'APPENDS', 'ADDITEMS', 'SETITEM', 'SETITEMS', 'BUILD')

# A value as what it is made of.
Node = list['Node']


def check_pickle(file: str | BinaryIO) -> None:
    """Check that what a file says does not grow beyond measure.

    Files that are no pickles pass: torch refuses them.

    Args:
        file: Path of the file, or the open file, which stands at its begin afterwards.

    Raises:
        Refusal: If there are too many values, or one that holds itself.
        BadZipFile: If it is a damaged archive.
    """
    if isinstance(file, str):
        with open(file, 'rb') as opened:
            check_pickle(opened)
        return
    try:
        for pickle in _pickles(file):
            _check_growth(_values(pickle))
    finally:
        file.seek(0)


def _pickles(file: BinaryIO) -> Iterator[BinaryIO]:
    if is_archive(file):
        yield from pickles_in(file)
        return
    file.seek(0)
    for _ in range(_LEGACY):
        yield file


def _values(pickle: BinaryIO) -> list[Node]:
    """Return all values that a pickle makes, each with those that it is made of.

    Of a damaged one they are those before the damage, where torch's reader stops too.
    """
    made: list[Node] = []
    with suppress(ValueError, LookupError):
        _make(pickle, made)
    return made


def _make(pickle: BinaryIO, made: list[Node]) -> None:
    """Add to ``made`` the values of a pickle, as far as it goes.

    Raises:
        ValueError, LookupError: At the first place that is damaged.
        Refusal: If there are too many steps, or marks without an end.
    """
    # ``None`` is a mark.
    stack: list[Node | None] = []
    memo: dict[int, Node] = {}
    marks = 0
    for step, (opcode, argument, _) in enumerate(pickletools.genops(pickle)):
        if step > _STEPS:
            raise Refusal(f'it takes more than {_STEPS:,} steps to read')
        if opcode.name in _PUT:
            memo[argument] = _top(stack)
        elif opcode.name in _GET:
            stack.append(memo[argument])
        elif opcode.name == 'MARK':
            marks += 1
            if marks > _MARKS:
                raise Refusal(f'its parts lie more than {_MARKS:,} levels deep')
            stack.append(None)
        elif opcode.name not in ('PROTO', 'STOP'):
            fills = opcode.name in _FILL
            before = opcode.stack_before[1:] if fills else opcode.stack_before
            marks -= pickletools.markobject in before
            taken = _take(stack, before)
            if fills:
                _top(stack).extend(taken)
            else:
                made.append(taken)
                stack.append(taken)


def _top(stack: list[Node | None]) -> Node:
    if stack[-1] is None:
        raise ValueError('there is a mark in the place of a value')
    return stack[-1]


def _take(stack: list[Node | None], before: list) -> Node:
    """Take from the stack what an opcode does."""
    if pickletools.markobject in before:
        taken = []
        while (value := stack.pop()) is not None:
            taken.append(value)
        return taken
    taken = []
    for _ in before:
        taken.append(_top(stack))
        stack.pop()
    return taken


def _check_growth(made: list[Node]) -> None:
    """Count each value as often as it stands somewhere."""
    sizes: dict[int, int] = {}
    for first in made:
        waiting = [(first, False)]
        while waiting:
            node, is_known = waiting.pop()
            if is_known:
                sizes[id(node)] = size = 1 + sum(sizes[id(part)] for part in node)
                if size > _MOST:
                    raise Refusal(f'it stands for more than {_MOST:,} values')
            elif id(node) not in sizes:
                # Not counted yet: whoever meets it again is inside of it.
                sizes[id(node)] = _MOST
                waiting.append((node, True))
                waiting.extend((part, False) for part in node)
