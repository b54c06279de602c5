import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest
import torch

from m2det_mmdet import __version__
from m2det_mmdet.analysis.machine import (
    describe_machine,
    has_compiled_operators,
    load_average,
    versions,
)
from m2det_mmdet.utils import processors

CPU_INFO = 'processor\t: 0\nmodel name\t: Abacus 3000 \nprocessor\t: 1\n'


def test_a_cpu_is_told_by_name_and_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'cpuinfo').write_text(CPU_INFO)
    monkeypatch.setattr(processors, '_CPU_INFO', tmp_path / 'cpuinfo')
    cpu = torch.device('cpu')

    monkeypatch.setattr(torch, 'get_num_threads', lambda: 1)
    assert describe_machine(cpu) == 'CPU, Abacus 3000, 1 thread'
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 2)
    assert describe_machine(cpu) == 'CPU, Abacus 3000, 2 threads'


@pytest.mark.parametrize(('processor', 'name'), [('i9', 'i9'), ('', 'arm64')])
def test_a_cpu_without_a_list_has_the_name_of_its_kind(
    processor: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processors, '_CPU_INFO', tmp_path / 'none')
    monkeypatch.setattr('platform.processor', lambda: processor)
    monkeypatch.setattr('platform.machine', lambda: 'arm64')
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 1)

    assert describe_machine(torch.device('cpu')) == f'CPU, {name}, 1 thread'


@pytest.mark.parametrize(
    ('origin', 'compiled'),
    [('/site/mmcv/_ext.so', True), ('m2det_mmdet.compat.ext', False)],
)
def test_the_stand_in_is_no_compiled_operators(
    origin: str, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType('mmcv._ext')
    module.__spec__ = ModuleSpec('mmcv._ext', None, origin=origin)
    has_compiled_operators()
    monkeypatch.setitem(sys.modules, 'mmcv._ext', module)

    assert has_compiled_operators() is compiled
    word = 'with' if compiled else 'without'
    assert versions()['mmcv'].endswith(f' {word} compiled operators')


def test_versions_are_those_of_what_computes() -> None:
    told = versions()

    assert list(told) == ['python', 'torch', 'mmcv', 'mmdet', 'm2det']
    assert told['torch'] == torch.__version__
    assert told['m2det'] == __version__


def test_the_load_is_told_where_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('os.getloadavg', lambda: (1.5, 0, 0), raising=False)
    assert load_average() == 1.5
    monkeypatch.delattr('os.getloadavg')
    assert load_average() is None
