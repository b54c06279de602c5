"""A page for each name that the package adds to MMDetection's registries.

Read from the sources, without importing them.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pages import link_to, place_of
from roles import as_markdown

PACKAGE = 'm2det_mmdet'
# A longer example shows other things, too.
_MOST_LINES = 24


class Registered(NamedTuple):
    """A class under a name of a registry.

    Attributes:
        name: The name that configs use.
        registry: As mmdet.registry and mmengine.registry call it.
        module: Module of the class, with dots.
        class_name: The class.
        summary: First sentence of its docstring.
        required: Arguments that have no default.
    """

    name: str
    registry: str
    module: str
    class_name: str
    summary: str
    required: tuple[str, ...]


class Example(NamedTuple):
    """A config that names a class.

    Attributes:
        text: Part of a config, ``dict(type=...)``.
        path: The file that has it.
    """

    text: str
    path: Path


def registered(root: Path) -> list[Registered]:
    """Return what the package registers, by registry and name."""
    found = []
    for path in sorted((root / PACKAGE).rglob('*.py')):
        module = '.'.join(path.relative_to(root).with_suffix('').parts)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                found += _entries(node, module)
    return sorted(found, key=lambda entry: (entry.registry, entry.name.lower()))


def write_registry(entries: list[Registered], root: Path, target: Path) -> list[Path]:
    """Write a page for each name and one that lists them.

    Returns:
        The files that the pages link to.
    """
    examples = find_examples(root)
    folder = target / 'registry'
    folder.mkdir(parents=True)
    linked = []
    for entry in entries:
        example = examples.get(entry.name)
        text = _page(entry, example, root)
        (folder / f'{entry.name}.md').write_text(text)
        linked += [example.path] if example else []
    (folder / 'index.md').write_text(_index(entries))
    return linked


def find_examples(root: Path) -> dict[str, Example]:
    """Return for each type that configs name the fullest of the short examples.

    Where none is short, it is the shortest.
    """
    found: dict[str, Example] = {}
    best: dict[str, tuple[int, int]] = {}
    for path in sorted((root / 'configs').rglob('*.py')):
        source = _written_out(path.read_text())
        for name, call in _typed_dicts(ast.parse(source)):
            lines = call.end_lineno - call.lineno + 1
            over = min(0, _MOST_LINES - lines)
            rank = (over, len(call.keywords))
            if name not in best or rank > best[name]:
                best[name] = rank
                found[name] = Example(_segment(source, call), path)
    return found


def _entries(node: ast.ClassDef, module: str) -> Iterator[Registered]:
    """Yield the registrations of a class."""
    for call in node.decorator_list:
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        if call.func.attr != 'register_module':
            continue
        options = {option.arg: option.value for option in call.keywords}
        name = ast.literal_eval(options['name']) if 'name' in options else node.name
        yield Registered(
            name,
            call.func.value.id,
            module,
            node.name,
            _summary(node),
            _required(node),
        )


def _summary(node: ast.ClassDef) -> str:
    """Return the first sentence of a docstring, as one line of Markdown."""
    first = (ast.get_docstring(node) or '').partition('\n\n')[0]
    return as_markdown(first.replace('\n', ' '))


def _required(node: ast.ClassDef) -> tuple[str, ...]:
    """Return the arguments of a class that have no default."""
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and part.name == '__init__':
            args = part.args
            plain = args.args[1 : len(args.args) - len(args.defaults)]
            by_name = [
                arg
                for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)
                if default is None
            ]
            return tuple(arg.arg for arg in (*plain, *by_name))
    return ()


def _written_out(source: str) -> str:
    """Return a config with types in the place of variables that hold them."""
    texts = {
        node.targets[0].id: node.value.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    return re.sub(
        r'(?<=\btype=)[a-z]\w*',
        lambda match: repr(texts[match[0]]) if match[0] in texts else match[0],
        source,
    )


def _typed_dicts(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield each ``dict(type='NAME', ...)`` of a config, with its name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, 'id', None) == 'dict':
            for option in node.keywords:
                if option.arg == 'type' and isinstance(option.value, ast.Constant):
                    yield option.value.value, node


def _segment(source: str, call: ast.Call) -> str:
    """Return the text of a call, without the indentation of its first line."""
    first = source.splitlines()[call.lineno - 1]
    indent = ' ' * (len(first) - len(first.lstrip()))
    return textwrap.dedent(indent + ast.get_source_segment(source, call))


def _page(entry: Registered, example: Example | None, root: Path) -> str:
    place = PurePosixPath('registry', f'{entry.name}.md')
    if example is None:
        options = [f'type={entry.name!r}', *(f'{name}=...' for name in entry.required)]
        config, source = f'dict({", ".join(options)})', 'The least that it needs:'
    else:
        link = link_to(place_of(example.path, root), place)
        inside = example.path.relative_to(root).as_posix()
        config, source = example.text, f'From [`{inside}`]({link}):'
    return (
        inspect.cleandoc(
            """
        # {name}

        {summary}

        Registry `{registry}`.

        ## In a config

        {source}

        ```python
        {config}
        ```

        ## Reference

        ::: {module}.{class_name}
            options:
              heading_level: 3
              show_root_heading: true
        """
        ).format(**entry._asdict(), source=source, config=config)
        + '\n'
    )


def _index(entries: list[Registered]) -> str:
    rows = [
        f'| [`{entry.name}`]({entry.name}.md) | `{entry.registry}` | {entry.summary} |'
        for entry in entries
    ]
    return '\n'.join(
        [
            '# Names of the registries',
            '',
            '`import m2det_mmdet` adds these names to the registries of MMDetection. '
            'Where MMEngine or MMDetection has the same name, the class here replaces '
            'it.',
            '',
            '| name | registry | what it is |',
            '|---|---|---|',
            *rows,
            '',
        ]
    )
