"""Pages of the site from those of the repository.

A page of ``docs/`` keeps its name. What it links to elsewhere in the repository becomes
a page below ``repository/``: Markdown as it is, a folder as its README or as a list,
a notebook as its cells, any other text as a block of code. So a link works on the site
as in the repository.
"""

import json
import os
import re
import shutil
from collections import deque
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

PICTURES = {'.jpg', '.png', '.svg'}
LANGUAGES = {'.py': 'python', '.yml': 'yaml', '.toml': 'toml', '.json': 'json'}
# What stands between fences is no link.
_FENCED = re.compile(r'(^ *(`{3,}).*?^ *\2 *$)', re.DOTALL | re.MULTILINE)
_TARGET = re.compile(r'(?<=\]\()[^)\s]+(?=\))')
_ELSEWHERE = re.compile(r'[a-z]+:|#')


class BrokenLink(Exception):
    """A page links to what the repository does not have."""


def write_pages(root: Path, target: Path, further: Iterable[Path]) -> None:
    """Write the pages of ``docs/``, and all that they and others link to.

    Args:
        root: The repository.
        target: Folder of the pages.
        further: Files that other pages link to, below ``root``.

    Raises:
        BrokenLink: If a page links to what is not there.
    """
    waiting = deque([*sorted((root / 'docs').glob('*.md')), *further])
    done = set()
    while waiting:
        path = waiting.popleft()
        if path not in done:
            done.add(path)
            waiting += _write_page(path, root, target)


def place_of(path: Path, root: Path) -> PurePosixPath:
    """Return where the page of a file or folder of the repository is in the site."""
    inside = PurePosixPath(path.relative_to(root).as_posix())
    if inside.parts[0] == 'docs':
        return inside.relative_to('docs')
    place = 'repository' / inside
    if path.is_dir():
        return place / 'index.md'
    if path.name == 'README.md':
        return place.with_name('index.md')
    if path.suffix in {'.md', *PICTURES}:
        return place
    return place.with_name(f'{path.name}.md')


def link_to(place: PurePosixPath, page: PurePosixPath) -> str:
    """Return the link from a page to a place, both in the site."""
    return PurePosixPath(os.path.relpath(place, page.parent)).as_posix()


def _write_page(path: Path, root: Path, target: Path) -> list[Path]:
    """Write the page of a file or folder, and return what it links to."""
    place = place_of(path, root)
    to = target / place
    to.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in PICTURES:
        shutil.copyfile(path, to)
        return []
    linked: list[Path] = []
    if path.is_dir() and not (path / 'README.md').exists():
        text, linked = _listing(path, root)
    elif path.suffix in {'.md', '.ipynb'} or path.is_dir():
        source = path / 'README.md' if path.is_dir() else path
        text = _with_links(source, root, place, linked)
    else:
        text = _listed(path, root)
    to.write_text(text)
    return linked


def _with_links(
    source: Path, root: Path, place: PurePosixPath, linked: list[Path]
) -> str:
    """Return a page whose links lead to places of the site; append their files."""

    def replace(match: re.Match[str]) -> str:
        target, hash_, anchor = match[0].partition('#')
        if _ELSEWHERE.match(match[0]):
            return match[0]
        path = (source.parent / target).resolve()
        if not path.is_relative_to(root) or not path.exists():
            raise BrokenLink(
                f'{source.relative_to(root)} links to {target}, which is not there: '
                'correct the link.'
            )
        linked.append(path)
        return link_to(place_of(path, root), place) + hash_ + anchor

    # Every third part is what stands between fences, behind it the fence.
    parts = _FENCED.split(_markdown(source))
    parts[::3] = [_TARGET.sub(replace, part) for part in parts[::3]]
    del parts[2::3]
    return ''.join(parts)


def _markdown(source: Path) -> str:
    """Return the text of a page, of a notebook its cells."""
    text = source.read_text()
    if source.suffix != '.ipynb':
        return text
    cells = [
        (cell['cell_type'], ''.join(cell['source']))
        for cell in json.loads(text)['cells']
    ]
    return '\n\n'.join(
        f'```python\n{text}\n```' if kind == 'code' else text for kind, text in cells
    )


def _listing(folder: Path, root: Path) -> tuple[str, list[Path]]:
    """Return a page that lists a folder without a README, and what it lists."""
    place = place_of(folder, root)
    files = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix in {'.md', '.txt', '.ipynb', *LANGUAGES}
        or (path.is_dir() and path.name != '__pycache__')
    ]
    rows = [
        f'- [`{path.name}`]({link_to(place_of(path, root), place)})' for path in files
    ]
    title = f'# `{folder.relative_to(root).as_posix()}`'
    return '\n'.join([title, '', *rows, '']), files


def _listed(path: Path, root: Path) -> str:
    """Return a page that shows a file."""
    language = LANGUAGES.get(path.suffix, 'text')
    title = f'# `{path.relative_to(root).as_posix()}`'
    front = '---\nsearch:\n  exclude: true\n---\n'
    return f'{front}\n{title}\n\n````{language}\n{path.read_text().rstrip()}\n````\n'
