"""On a cluster of two machines, of which one dies, results are those of one process.

The cluster is one of Ray's own for tests: its machines are processes here.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch

ray = pytest.importorskip('ray', reason='needs Ray: pip install "m2det[ray]"')
pytestmark = pytest.mark.slow

LIMIT = 1800  # seconds after which a process hangs
# What differs between two runs of the same, by the keys of JSON.
TIMES = {
    'began',
    'ended',
    'load',
    'peak_memory',
    'seconds',
    'seconds_an_image',
    'seconds_an_image_10th',
    'seconds_an_image_90th',
    'memory (MiB)',
    'ms/image',
    'training (min)',
}
COMMAND = [
    sys.executable,
    '-c',
    'from m2det_mmdet.cli import main; raise SystemExit(main())',
]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A head without CPUs, and two machines with room for one job each."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv('RAY_USAGE_STATS_ENABLED', '0')
    # It is told that a machine is gone after half a minute otherwise.
    system = {'health_check_period_ms': 500, 'health_check_failure_threshold': 4}
    found = Cluster(
        initialize_head=True,
        head_node_args={'num_cpus': 0, '_system_config': system},
    )
    nodes = [found.add_node(num_cpus=1) for _ in range(2)]
    yield SimpleNamespace(
        address=found.address,
        kill=lambda: found.remove_node(nodes[0], allow_graceful=False),
    )
    found.shutdown()


def _options(cluster: SimpleNamespace) -> list[str]:
    address = ['--ray-address', cluster.address]
    return ['--engine', 'ray', *address, '--job-cpus', '1']


def _run(
    argv: list[str], folder: Path, when: Callable[[], bool], act: Callable[[], None]
) -> tuple[int, str]:
    """Run a command, and do something to it as soon as it has come so far."""
    log = folder / 'console.txt'
    with log.open('w') as out:
        process = subprocess.Popen(
            [*COMMAND, *argv],
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
            # A shell has what it starts in the background ignore interrupts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        end = time.monotonic() + LIMIT
        while process.poll() is None and not when():
            assert time.monotonic() < end
            time.sleep(0.05)
        assert process.poll() is None, log.read_text()
        try:
            act()
            status = process.wait(LIMIT)
        finally:
            process.kill()
    return status, log.read_text()


def _serial(argv: list[str], folder: Path) -> None:
    """Run a command as one job, with as many threads as the others have."""
    variables = {'OMP_NUM_THREADS': '1', 'MKL_NUM_THREADS': '1'}
    subprocess.run(
        [*COMMAND, *argv], cwd=folder, env={**os.environ, **variables}, check=True
    )


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if k not in TIMES}
    return [_timeless(x) for x in value] if isinstance(value, list) else value


def _content(folder: Path, pattern: str = '**/*') -> dict[str, Any]:
    """Files by their names; of JSON the text without times."""
    found = {}
    for path in sorted(folder.glob(pattern)):
        if not path.is_file() or path.name.startswith('.'):
            continue
        name, content = path.relative_to(folder).as_posix(), path.read_bytes()
        if path.suffix == '.json':
            content = json.dumps(_timeless(json.loads(content)))
        found[name] = content
    return found


def _without_noise(console: str) -> bool:
    return re.search(r'raylet|\(pid=|core_worker|gcs', console) is None


def test_a_prediction_of_two_machines_of_which_one_dies(
    cluster: SimpleNamespace, trained: SimpleNamespace, tmp_path: Path
) -> None:
    (tmp_path / 'images').mkdir()
    for number in range(200):
        source = trained.scenes / 'val' / f'{number % 3 + 1:06d}.jpg'
        shutil.copy(source, tmp_path / 'images' / f'{number:03d}.jpg')
    argv = ['predict', trained.config, trained.checkpoint, 'images']
    argv += ['--score-thr', '0.02', '--format', 'coco', 'csv', '-o']
    _serial([*argv, 'serial'], tmp_path)
    log = tmp_path / 'ray' / 'results.partial.jsonl'

    status, console = _run(
        [*argv, 'ray', *_options(cluster)],
        tmp_path,
        lambda: log.is_file() and log.read_bytes().count(b'\n') >= 20,
        cluster.kill,
    )

    assert status == 0, console
    assert _content(tmp_path / 'ray') == _content(tmp_path / 'serial')
    assert 'A process died (' in console
    assert _without_noise(console), console
    # It was running before, and goes on.
    ray.init(cluster.address, log_to_driver=False)
    assert sum(node['Alive'] for node in ray.nodes()) == 2
    ray.shutdown()


def test_a_comparison_of_two_machines_of_which_one_dies(
    cluster: SimpleNamespace, trained: SimpleNamespace, tmp_path: Path
) -> None:
    other = tmp_path / 'other.py'
    other.write_text(f'_base_ = {trained.config!r}')
    argv = ['compare', trained.config, str(other), '--data', str(trained.scenes)]
    argv += ['--epochs', '4', '--workers', '0', '--out']
    _serial([*argv, 'serial'], tmp_path)
    out = tmp_path / 'ray'

    status, console = _run(
        [*argv, 'ray', *_options(cluster)],
        tmp_path,
        lambda: len([*out.glob('*/seed_0/train/epoch_*.pth')]) >= 2,
        cluster.kill,
    )

    assert status == 0, console
    for pattern, number in (('comparison.json', 1), ('*/seed_0/*.json', 2 * 6)):
        serial = _content(tmp_path / 'serial', pattern)
        assert len(serial) == number
        assert _content(out, pattern) == serial
    for name in ('small', 'other'):
        file = f'{name}/seed_0/train/epoch_4.pth'
        one, two = (
            torch.load(folder / file, weights_only=False)['state_dict']
            for folder in (tmp_path / 'serial', out)
        )
        assert one.keys() == two.keys()
        assert all(torch.equal(one[key], two[key]) for key in one)
    assert 'its process died (' in console
    assert _without_noise(console), console


@pytest.mark.parametrize(
    ('signal_', 'status'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_an_end_ends_a_ray_that_was_begun(
    signal_: int, status: int, trained: SimpleNamespace, tmp_path: Path
) -> None:
    (tmp_path / 'images').mkdir()
    for number in range(500):
        source = trained.scenes / 'val' / '000001.jpg'
        shutil.copy(source, tmp_path / 'images' / f'{number:03d}.jpg')
    argv = ['predict', trained.config, trained.checkpoint, 'images', '-o', 'out']
    log, processes = tmp_path / 'out' / 'results.partial.jsonl', []

    def interrupt() -> None:
        (own,) = (
            child
            for child in psutil.Process().children()
            if '--jobs' in child.cmdline()
        )
        processes.extend(own.children(recursive=True))
        own.send_signal(signal_)

    found, console = _run(
        [*argv, '--engine', 'ray', '--jobs', '1'], tmp_path, log.is_file, interrupt
    )

    assert found == status, console
    assert _without_noise(console), console
    assert 'SIGTERM received' not in console
    assert len(processes) > 2
    assert psutil.wait_procs(processes, 60)[1] == []
    assert 'Go on by -o out --resume.' in console
    assert len(json.loads((tmp_path / 'out' / 'results.json').read_text())) > 0
