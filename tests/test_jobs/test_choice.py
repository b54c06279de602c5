import builtins
from typing import Any

import pytest

from m2det_mmdet.jobs import ProcessEngine, SerialEngine, choice, choose_engine
from m2det_mmdet.jobs.ray_engine import RayEngine
from m2det_mmdet.utils.errors import M2DetError


def test_one_job_at_a_time_needs_no_other_process() -> None:
    assert isinstance(choose_engine(), SerialEngine)
    assert isinstance(choose_engine(jobs=1), SerialEngine)
    # Threads cannot be counted here without changing those of the caller.
    assert isinstance(choose_engine(job_cpus=1), ProcessEngine)
    assert choose_engine(jobs=3).size == 3


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'engine': 'slurm'}, 'engine must be local or ray, got slurm'),
        ({'jobs': 0}, 'jobs must be a whole number from 1 on, got 0'),
        ({'job_cpus': True}, 'job_cpus must be a whole number from 1 on, got True'),
        ({'ray_address': 'a:1'}, 'ray_address a:1 is for the engine ray'),
    ],
)
def test_wrong_arguments_are_one_sentence(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(M2DetError, match=message):
        choose_engine(**options)


@pytest.mark.parametrize(
    ('address', 'message'),
    [
        ('127.0.0.1:9', r'No cluster of Ray answers at 127.0.0.1:9 \(.*refused'),
        ('ray://127.0.0.1:10001', 'is an address for Ray Client.*HOST:PORT'),
        ('head', 'head is no address of a cluster: give HOST:PORT'),
        ('head:port', 'head:port is no address of a cluster'),
    ],
)
def test_a_cluster_that_does_not_answer_is_one_sentence(
    address: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, 'find_spec', lambda name: object())

    with pytest.raises(M2DetError, match=message):
        choose_engine('ray', ray_address=address)

    monkeypatch.setenv('RAY_ADDRESS', address)
    with pytest.raises(M2DetError, match=message):
        choose_engine('ray')


def test_without_ray_the_command_that_installs_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choice, 'find_spec', lambda name: None)

    with pytest.raises(M2DetError, match='Ray is not installed: pip install "ray>='):
        choose_engine('ray')


def test_choosing_ray_imports_and_starts_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choice, 'find_spec', lambda name: object())
    monkeypatch.delenv('RAY_ADDRESS', raising=False)
    plain = builtins.__import__

    def note(name: str, *args: Any) -> Any:
        assert name.partition('.')[0] != 'ray'
        return plain(name, *args)

    monkeypatch.setattr(builtins, '__import__', note)

    engine = choose_engine('ray', 2)

    assert isinstance(engine, RayEngine)
    assert (engine.size, engine.shares_disk) == (2, False)


@pytest.mark.parametrize(
    ('visible', 'use_gpus', 'seen'),
    [
        ('4,7', True, ['4', '7', '4']),
        ('4,7', False, ['4,7'] * 3),
        ('', True, [''] * 3),
    ],
)
def test_each_process_sees_one_gpu_in_turn(
    visible: str, use_gpus: bool, seen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', visible)

    engine = choose_engine(jobs=3, job_cpus=2, use_gpus=use_gpus)

    variables = [engine._environment(slot) for slot in range(3)]
    assert [x['CUDA_VISIBLE_DEVICES'] for x in variables] == seen
    assert {x['OMP_NUM_THREADS'] for x in variables} == {'2'}
