"""Every command on hostile checkpoints, by the script that writes the table."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch


@pytest.fixture(scope='module')
def script(benchmark_script: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_script('hostile_checkpoints')


def tried(
    script: ModuleType, trained: SimpleNamespace, folder: Path, calls: dict, kinds: list
) -> dict:
    good = torch.load(trained.checkpoint, weights_only=False)
    (folder / 'files').mkdir(exist_ok=True)
    found = script.try_all(kinds, good, calls, folder / 'victim', folder / 'files')
    return dict(found)


@pytest.mark.slow
def test_no_command_runs_deletes_or_breaks(
    script: ModuleType, trained: SimpleNamespace, tmp_path: Path
) -> None:
    image = str(next((trained.scenes / 'val').iterdir()))
    calls = script.calls_of(trained.config, image)
    kinds = script.all_kinds(tmp_path / 'victim')
    found = tried(script, trained, tmp_path, calls, kinds)

    good = found.pop('(the sound one)')
    assert {name for name in good if good[name].state != 'works'} == set()
    faults = [
        (kind, name, outcome)
        for kind, outcomes in found.items()
        for name, outcome in outcomes.items()
        if outcome.is_fault
    ]
    assert faults == []


def test_what_is_wrong_with_a_call_is_told(
    script: ModuleType, trained: SimpleNamespace, tmp_path: Path
) -> None:
    def run_the_file(file: str, folder: Path) -> None:
        torch.load(file, weights_only=False)

    def take_memory(file: str, folder: Path) -> int:
        # Not of the sound checkpoint, which has a message hub.
        if not Path(file).is_file() or b'touch' not in Path(file).read_bytes():
            return 0
        return 0 * len(bytearray(b'x') * (3 * 2**29))

    def refuse(file: str, folder: Path) -> int:
        print('This is one sentence.')
        return 2

    kinds = script.all_kinds(tmp_path / 'victim', zeros=2**20)
    chosen = [kinds[0], *(x for x in kinds if x.name == 'pickle: REDUCE')]
    by_name = {'runs': run_the_file, 'takes': take_memory, 'says': refuse}

    alone = {
        name: tried(script, trained, tmp_path, {name: call}, chosen)['pickle: REDUCE']
        for name, call in by_name.items()
    }

    assert {name: x[name].state for name, x in alone.items()} == {
        'runs': 'ran',
        'takes': alone['takes']['takes'].state,
        'says': 'said',
    }
    assert alone['takes']['takes'].state.endswith(' GB')
    assert alone['takes']['takes'].is_fault
    assert not alone['says']['says'].is_fault


def test_a_call_that_hangs_is_ended(script: ModuleType, tmp_path: Path) -> None:
    def wait(file: str, folder: Path) -> None:
        while True:
            pass

    found = script.try_call(wait, tmp_path / 'x.pth', tmp_path / 'folder', limit=0.2)

    assert found.state == 'killed by 9'
    assert found.is_fault
