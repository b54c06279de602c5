"""Data loader workers that start with a bare interpreter."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOAD = """
from torch.utils.data import DataLoader
dataset = CocoDataset(lazy_init=True, serialize_data=False, pipeline=[])
dataset.data_list, dataset._fully_initialized = [{'x': 1}, {'x': 2}], True
# A class whose module needs operators.
dataset.head_type = SSDHead
loader = DataLoader(dataset, num_workers=1, multiprocessing_context=%r,
                    collate_fn=pseudo_collate)
print([int(batch['x'][0]) for batch in loader])
"""
IMPORTS = """
import m2det_mmdet
from mmdet.datasets import CocoDataset
from mmdet.models import SSDHead
from mmengine.dataset import pseudo_collate
"""
REGISTER = """
import m2det_mmdet
m2det_mmdet.register()
"""


def indent(code: str) -> str:
    return ''.join(f'    {line}\n' for line in code.splitlines())


def script(kind: str, method: str) -> str:
    load = LOAD % method
    guard = "if __name__ == '__main__':\n"
    return {
        'import at the top': IMPORTS + guard + indent(load),
        'import in main': guard + indent(IMPORTS + load),
        'command line': IMPORTS + load,
        # The child imports the command too, which registers nothing by itself.
        'm2det': 'import m2det_command\n' + guard + indent(REGISTER + IMPORTS + load),
    }[kind]


@pytest.mark.slow
@pytest.mark.parametrize('method', ['spawn', 'forkserver'])
@pytest.mark.parametrize(
    'kind', ['import at the top', 'import in main', 'command line', 'm2det']
)
def test_workers_find_what_they_need(kind: str, method: str, tmp_path: Path) -> None:
    check(kind, method, tmp_path)


@pytest.mark.slow
def test_spawned_worker_of_the_command(tmp_path: Path) -> None:
    check('m2det', 'spawn', tmp_path)


def check(kind: str, method: str, folder: Path) -> None:
    code = script(kind, method)
    if kind == 'command line':
        command = [sys.executable, '-W', 'ignore', '-c', code]
    else:
        path = folder / 'program.py'
        path.write_text(code)
        command = [sys.executable, '-W', 'ignore', str(path)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
    )

    assert '[1, 2]' in done.stdout, done.stderr
    assert done.stderr == ''
