"""The notebooks run from top to bottom, and find what they promise."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / 'examples' / 'notebooks'
needs_nbclient = pytest.mark.skipif(
    find_spec('nbclient') is None or find_spec('ipykernel') is None,
    reason='nbclient or ipykernel, of the extra test, is not installed',
)


def last_number(text: str, before: str) -> float:
    """Return the last number that follows a word."""
    return float(re.findall(rf'{before} (\d\.\d+)', text)[-1])


def check_first_run(text: str, pictures: int) -> None:
    assert pictures == 2
    assert last_number(text, 'AP') > 0.6


def check_own_data(text: str, pictures: int) -> None:
    assert "yolo ('house', 'tree', 'fish', 'boat') {'train': 96, 'val': 24}" in text
    assert '1 boxes that reach across the border' in text
    assert pictures == 2
    assert last_number(text, 'AP') > 0.1


def check_compose(text: str, pictures: int) -> None:
    # The maps of the own neck, and those of MLFPN in RetinaNet.
    assert '[(64, 40, 40), (64, 20, 20), (64, 10, 10), (64, 5, 5)]' in text
    assert '(256, 40, 40), (256, 20, 20), (256, 10, 10), (256, 5, 5)' in text
    first, *_, last = json.loads(re.search(r'^\[\d+\.\d+, .*\]$', text, re.M)[0])
    assert last < first


CHECKS = {
    'first_run': check_first_run,
    'own_data': check_own_data,
    'compose': check_compose,
}


@pytest.mark.parametrize('path', sorted(FOLDER.glob('*.ipynb')), ids=lambda x: x.stem)
def test_a_notebook_holds_no_outputs(path: Path) -> None:
    cells = json.loads(path.read_text())['cells']

    codes = [cell for cell in cells if cell['cell_type'] == 'code']
    assert path.stem in CHECKS
    assert 8 <= len(cells) <= 14
    assert [cell['outputs'] for cell in codes] == [[]] * len(codes)


@needs_nbclient
@pytest.mark.slow
@pytest.mark.parametrize('name', CHECKS)
def test_a_notebook_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nbformat
    from nbclient import NotebookClient

    # The kernel is a process of its own: nothing of it stays behind.
    for variable in ('TMPDIR', 'IPYTHONDIR', 'JUPYTER_RUNTIME_DIR'):
        monkeypatch.setenv(variable, str(tmp_path))
    book = nbformat.read(FOLDER / f'{name}.ipynb', as_version=4)
    nbformat.validate(book)

    client = NotebookClient(
        book, timeout=600, resources={'metadata': {'path': str(tmp_path)}}
    )
    client.execute()

    outputs = [out for cell in book.cells for out in cell.get('outputs', [])]
    data = [out.get('data', {}) for out in outputs]
    texts = [out.get('text', '') for out in outputs]
    texts += [one.get('text/plain', '') for one in data]
    CHECKS[name]('\n'.join(texts), sum('image/png' in one for one in data))
