"""The programs that make the site of the pages."""

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import mmengine
import pytest
import yaml
from mmengine import registry as registries

from .browser import Browser

ROOT = Path(__file__).parents[1]
WEBSITE = ROOT / 'docs' / 'website'
needs_zensical = pytest.mark.skipif(
    find_spec('zensical') is None or find_spec('mkdocstrings') is None,
    reason='the extra docs is not installed',
)
# Where messages come from that are not ours.
FOREIGN = (
    'mmengine/config/config.py',
    'mmengine/registry/build_functions.py',
    'mmengine/runner/checkpoint.py',
    'mmengine/dataset/base_dataset.py',
    'torch/nn/functional.py',
    'torch/nn/modules/module.py',
    'torch/serialization.py',
    'torch/utils/data/dataloader.py',
)


@pytest.fixture(scope='module')
def website() -> Iterator[dict[str, ModuleType]]:
    """The modules of the folder, which import each other by their names alone."""
    names = ('pages', 'roles', 'registry', 'drawing', 'networks')
    sys.path.insert(0, str(WEBSITE))
    yield {name: import_module(name) for name in names}
    sys.path.remove(str(WEBSITE))
    for name in names:
        del sys.modules[name]


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_links_lead_to_pages_of_the_site(
    website: dict[str, ModuleType], tmp_path: Path
) -> None:
    _write(
        tmp_path / 'repo',
        {
            'docs/a.md': '[b](b.md#x) [c](../configs) [t](../t.py) [w](https://w)\n'
            '```\n[no](link.md)\n```\n![p](p.svg)\n',
            'docs/b.md': '# B\n',
            'docs/p.svg': '<svg/>',
            'configs/README.md': '[leaf](leaf.py) [list](more)\n',
            'configs/leaf.py': "model = 'x'\n",
            'configs/more/one.txt': 'one\n',
            't.py': 'x = 1\n',
        },
    )

    website['pages'].write_pages(tmp_path / 'repo', tmp_path / 'site', [])

    site = tmp_path / 'site'
    page = (site / 'a.md').read_text()
    assert page.startswith(
        '[b](b.md#x) [c](repository/configs/index.md) [t](repository/t.py.md) '
        '[w](https://w)'
    )
    assert '\n```\n[no](link.md)\n```\n' in page
    readme = (site / 'repository/configs/index.md').read_text()
    assert readme == '[leaf](leaf.py.md) [list](more/index.md)\n'
    assert (
        "````python\nmodel = 'x'\n````"
        in (site / 'repository/configs/leaf.py.md').read_text()
    )
    assert (
        '[`one.txt`](one.txt.md)'
        in (site / 'repository/configs/more/index.md').read_text()
    )
    assert (site / 'p.svg').read_text() == '<svg/>'


def test_a_notebook_is_a_page_of_its_cells(
    website: dict[str, ModuleType], tmp_path: Path
) -> None:
    cells = [
        {'cell_type': 'markdown', 'source': ['# One\n', '[two](two.ipynb)']},
        {'cell_type': 'code', 'source': ['x = 1\n', 'x'], 'outputs': []},
    ]
    book = json.dumps({'cells': cells})
    files = {'docs/a.md': '[one](../one.ipynb)', 'one.ipynb': book, 'two.ipynb': book}
    _write(tmp_path / 'repo', files)

    website['pages'].write_pages(tmp_path / 'repo', tmp_path / 'site', [])

    page = (tmp_path / 'site/repository/one.ipynb.md').read_text()
    assert page == '# One\n[two](two.ipynb.md)\n\n```python\nx = 1\nx\n```'


@pytest.mark.parametrize('target', ['absent.md', '../../outside.md'])
def test_a_broken_link_is_named(
    website: dict[str, ModuleType], tmp_path: Path, target: str
) -> None:
    _write(tmp_path, {'outside.md': '', 'repo/docs/a.md': f'[x]({target})\n'})

    with pytest.raises(
        website['pages'].BrokenLink, match=f'docs/a.md links to {re.escape(target)}'
    ):
        website['pages'].write_pages(tmp_path / 'repo', tmp_path / 'site', [])


def test_the_registry_pages_are_what_is_registered(
    website: dict[str, ModuleType],
) -> None:
    entries = website['registry'].registered(ROOT)

    found = {(entry.registry, entry.name): entry for entry in entries}
    known = {}
    for name in dir(registries):
        registry = getattr(registries, name)
        if isinstance(registry, registries.Registry):
            for one in (registry, *registry.children.values()):
                for key, module in one.module_dict.items():
                    if module.__module__.startswith('m2det_mmdet.'):
                        known[name, key] = module
    assert found.keys() == known.keys()
    for key, module in known.items():
        assert found[key].module == module.__module__
        assert module.__doc__.startswith(found[key].summary.split(' ')[0])


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('see :func:`.train` and ``x``', 'see `train` and ``x``'),
        (':class:`mmdet.models.FPN`', '`mmdet.models.FPN`'),
        ('`M2Det <https://a.b/1>`_, section 3', '[M2Det](https://a.b/1), section 3'),
        ('`Some\n    work <https://a>`__', '[Some\n    work](https://a)'),
    ],
)
def test_roles_and_links_become_markdown(
    website: dict[str, ModuleType], text: str, expected: str
) -> None:
    assert website['roles'].as_markdown(text) == expected


def test_an_example_is_a_part_of_a_config(website: dict[str, ModuleType]) -> None:
    examples = website['registry'].find_examples(ROOT)

    assert {'MLFPN', 'M2DetHead', 'BiFPN', 'WarmupStepLR'} <= examples.keys()
    # Its type is a variable of the config.
    assert 'ann_file=' in examples['CheckedCocoDataset'].text
    for name, example in examples.items():
        call = ast.parse(example.text, mode='eval').body
        assert {key.arg: key.value for key in call.keywords}['type'].value == name


@pytest.mark.parametrize(
    'path',
    sorted((ROOT / 'docs' / 'pictures').glob('*.svg')),
    ids=lambda path: path.stem,
)
def test_a_picture_is_what_its_program_draws(
    website: dict[str, ModuleType], path: Path
) -> None:
    network = website['networks'].NETWORKS[path.stem]

    assert website['drawing'].draw(network) == path.read_text()


def test_every_page_is_in_the_menu() -> None:
    text = (ROOT / 'mkdocs.yml').read_text()
    menu = yaml.safe_load(text)['nav']
    named = [page for _, page in _leaves(menu)]
    own = {path.name for path in (ROOT / 'docs').glob('*.md')}

    assert own <= {*named}
    assert len(named) == len({*named})


def _leaves(menu: list) -> Iterator[tuple[str, str]]:
    for entry in menu:
        for title, inside in entry.items():
            if isinstance(inside, list):
                yield from _leaves(inside)
            else:
                yield title, inside


@pytest.mark.slow
def test_the_messages_of_the_page_are_in_the_sources() -> None:
    page = (ROOT / 'docs' / 'troubleshooting.md').read_text()
    cells = re.findall(r'^\| (`.*?`[^|]*) \|', page, re.M)
    messages = [message for cell in cells for message in re.findall('`(.+?)`', cell)]
    libraries = Path(mmengine.__file__).parents[1]
    sources = [
        ROOT / 'm2det_command.py',
        *(ROOT / 'm2det_mmdet').rglob('*.py'),
        *(libraries / name for name in FOREIGN),
    ]
    texts = '\n'.join(text for source in sources for text in _texts(source))

    assert len(messages) > 40
    for message in messages:
        for part in message.split('...'):
            assert part.strip(' ,():') in texts or message in OTHERS, message


# PyTorch's own, in C++; an argument's, in C++; and one without a text.
OTHERS = {
    'operator torchvision::nms does not exist',
    'AssertionError',
    'fpn.py',
    'size mismatch for bbox_head.cls_convs',
}


def _texts(source: Path) -> Iterator[str]:
    """Yield the texts of a program, as they stand between values."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly from a copy."""
    tmp_path = tmp_path_factory.mktemp('site')
    for name in ('docs', 'configs', 'm2det_mmdet', 'benchmarks', 'examples', 'tests'):
        unneeded = shutil.ignore_patterns('node_modules')
        shutil.copytree(ROOT / name, tmp_path / name, ignore=unneeded)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)

    done = subprocess.run(
        [sys.executable, 'docs/website/build.py'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    return tmp_path / 'site' / 'html'


@needs_zensical
@pytest.mark.slow
def test_the_site_builds_strictly(site: Path) -> None:
    assert 'multi-level' in (site / 'index.html').read_text().lower()
    # From a docstring, as Markdown: no role and no link of Sphinx is left.
    page = (site / 'registry' / 'BiFPN.html').read_text()
    assert 'href="https://arxiv.org/abs/1911.09070"' in page
    assert ':class:' not in page


@needs_zensical
@pytest.mark.slow
def test_the_search_works_in_a_page_that_is_opened_as_a_file(
    site: Path, browser: Browser
) -> None:
    # Of the element that the search is in.
    within = """
        const root = [...document.querySelectorAll('div')]
            .map((x) => x.shadowRoot).find((x) => x?.querySelector('input'));
    """
    browser.asked()
    browser.open((site / 'index.html').as_uri())
    browser.wait("return document.querySelector('.md-search__button') !== null")
    browser.run("document.querySelector('.md-search__button').click()")
    browser.wait(f'{within} return root !== undefined')

    browser.run(f"""{within}
        const field = root.querySelector('input');
        field.value = 'mosaic';
        field.dispatchEvent(new InputEvent('input', {{bubbles: true}}));
    """)

    browser.wait(f"{within} return root.textContent.includes('Mixed images')")
    assert all(address.startswith(('file:', 'data:')) for address in browser.asked())
