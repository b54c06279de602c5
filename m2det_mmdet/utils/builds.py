"""What is wrong with a config where MMEngine fails to build a module of it.

MMEngine lets Python's own errors pass, which name neither what there is instead nor, of
an inherited constructor, the module. Both stand in the frames of the traceback.
"""

import difflib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmengine.registry import Registry

_UNEXPECTED = re.compile(
    r"(?:(\w+)\.)?(\w+)\(\) got an unexpected keyword argument '(\w+)'"
)
_UNKNOWN = re.compile(r'(\S+) is not in the .+ registry')
_LISTED = 20


def wrong_argument(error: BaseException) -> str | None:
    """Return the sentence on an argument that a module of a config does not take.

    Args:
        error: Any error; only a :class:`TypeError` of a call with settings of a config
            has such a sentence.
    """
    match = _UNEXPECTED.search(str(error))
    if not isinstance(error, TypeError) or match is None:
        return None
    owner, name, argument = match.groups()
    frames = list(_frames(error))
    called = _built(frames, owner, argument) or _called_by_runner(frames, owner, name)
    if called is None:
        return None
    known = sorted(_arguments(called))
    hint = did_you_mean(argument, known) or f'it takes {_listing(known)}.'
    return f'{called.__qualname__} takes no argument {argument}: {hint}'


def unknown_type(error: BaseException) -> str | None:
    """Return the sentence on a ``type`` that no registry knows.

    Args:
        error: Any error; only that of a name which MMEngine did not find in a registry
            has such a sentence.
    """
    looked_up = _looked_up(error)
    if looked_up is None:
        return None
    registry, name = looked_up
    known, parent = {*registry.module_dict}, registry.parent
    while parent is not None:
        known |= {*parent.module_dict}
        parent = parent.parent
    hint = did_you_mean(name, sorted(known)) or (
        'check it, and add the module that registers it to custom_imports.'
    )
    return f'There is no {registry.name} of the type {name}: {hint}'


def _looked_up(error: BaseException) -> tuple['Registry', str] | None:
    """Registry, and the name in a config that it does not know."""
    scopes = [frame.f_locals for frame in _frames(error)]
    match = _UNKNOWN.search(str(error))
    if isinstance(error, KeyError) and match is not None:
        registries = [scope['registry'] for scope in scopes if 'registry' in scope]
        return (registries[-1], match[1].strip('\'"')) if registries else None
    # MMEngine asks for an optimizer's arguments before it builds it, of None too.
    for scope in scopes:
        if 'registry' in scope and scope.get('optimizer_cls', error) is None:
            return scope['registry'], scope['optimizer_cfg']['type']
    return None


def did_you_mean(name: str, known: list[str], likeness: float = 0.6) -> str:
    """Return the question that offers the most similar names; empty without any."""
    # A name that is known twice is offered once.
    once = list(dict.fromkeys(known))
    similar = difflib.get_close_matches(name, once, n=3, cutoff=likeness)
    return f'did you mean {" or ".join(similar)}?' if similar else ''


def did_you_mean_file(path: Path) -> str:
    """Return the question that offers files or folders beside a missing one.

    It is empty where none has a similar name, or the folder cannot be read.
    """
    try:
        beside = sorted(entry.name for entry in path.parent.iterdir())
    except OSError:
        return ''
    return did_you_mean(path.name, beside)


def _frames(error: BaseException) -> Iterator[FrameType]:
    """Yield the frames that an error passed, from the outermost to its origin."""
    step = error.__traceback__
    while step is not None:
        yield step.tb_frame
        step = step.tb_next


def _built(
    frames: list[FrameType], owner: str | None, argument: str
) -> Callable | None:
    """Class or function that a registry was building with an argument it refuses."""
    for frame in reversed(frames):
        if frame.f_code.co_name != 'build_from_cfg':
            continue
        called = frame.f_locals.get('obj_cls')
        owners = {x.__name__ for x in getattr(called, '__mro__', ())} or {None}
        # Else the module passes something wrong on, which no config can mend.
        if owner in owners and argument in frame.f_locals['args']:
            return called
        return None
    return None


def _called_by_runner(
    frames: list[FrameType], owner: str | None, name: str
) -> Callable | None:
    """Class or method that MMEngine called with settings of a config."""
    caller = frames[-1] if frames else None
    if caller is None or not caller.f_globals.get('__name__', '').startswith(
        'mmengine.'
    ):
        return None
    if owner is None:
        return caller.f_globals.get(name)
    # The class is an attribute of its own module or of one that imports it.
    found: Any = caller.f_locals.get('cls') or caller.f_globals.get(owner)
    return found if name == '__init__' else getattr(found, name, None)


def _arguments(called: Callable) -> set[str]:
    """Names of the arguments, with those that classes pass on to their parents."""
    functions = [called]
    if inspect.isclass(called):
        functions = [
            vars(x)['__init__'] for x in called.__mro__ if '__init__' in vars(x)
        ]
    names = set()
    for function in functions:
        parameters = inspect.signature(function).parameters.values()
        names |= {
            p.name
            for p in parameters
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        }
        if all(p.kind != p.VAR_KEYWORD for p in parameters):
            break
    return names - {'self', 'cls'}


def _listing(names: list[str]) -> str:
    more = len(names) - _LISTED
    rest = f' and {more} more' if more > 0 else ''
    return (', '.join(names[:_LISTED]) or 'none') + rest
