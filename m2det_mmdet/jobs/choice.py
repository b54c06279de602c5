"""From what a caller asks for to what does the jobs."""

import os
from importlib.util import find_spec

import torch

from ..utils.errors import M2DetError
from .processes import ProcessEngine
from .ray_engine import RayEngine
from .serial import SerialEngine

Engine = SerialEngine | ProcessEngine | RayEngine
ENGINES = ('local', 'ray')


def choose_engine(
    engine: str = 'local',
    jobs: int | None = None,
    *,
    ray_address: str | None = None,
    job_cpus: int | None = None,
    use_gpus: bool = True,
) -> Engine:
    """Return what does jobs.

    Args:
        engine: ``'local'`` for processes of this machine, ``'ray'`` for
            `Ray <https://www.ray.io>`_.
        jobs: Jobs at a time. With ``'local'`` 1 by default, which needs no process
            beside this one; with Ray as many as there is room for.
        ray_address: Address of a cluster, as Ray has it; by default that of
            ``RAY_ADDRESS``, else a Ray that runs on this machine, else a new one.
        job_cpus: Threads of each job; as many as a job has that is done alone.
        use_gpus: Whether each job gets a GPU where there are any.

    Raises:
        M2DetError: One sentence on an argument, or if Ray is not installed.
    """
    if engine not in ENGINES:
        raise M2DetError(f'engine must be {" or ".join(ENGINES)}, got {engine}.')
    for name, number in (('jobs', jobs), ('job_cpus', job_cpus)):
        if number is not None and (type(number) is not int or number < 1):
            raise M2DetError(f'{name} must be a whole number from 1 on, got {number}.')
    if engine == 'ray':
        if find_spec('ray') is None:
            raise M2DetError('Ray is not installed: pip install "ray>=2.40".')
        return RayEngine(
            ray_address,
            jobs,
            job_cpus,
            threads=job_cpus or torch.get_num_threads(),
            use_gpus=use_gpus,
        )
    if ray_address is not None:
        raise M2DetError(
            f'ray_address {ray_address} is for the engine ray: give that, too.'
        )
    if (jobs or 1) == 1 and job_cpus is None:
        return SerialEngine()
    return ProcessEngine(jobs or 1, _gpus() if use_gpus else (), job_cpus)


def _gpus() -> tuple[str, ...]:
    """Names of the GPUs that this process may use."""
    named = os.environ.get('CUDA_VISIBLE_DEVICES')
    if named is not None:
        return tuple(filter(None, map(str.strip, named.split(','))))
    return tuple(map(str, range(torch.cuda.device_count())))
