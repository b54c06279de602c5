"""Lets MMEngine's launchers start processes without a GPU, and wait with patience.

Its ``init_dist`` sets a CUDA device and ``wrap_model`` names one. An evaluation
collects its results in files, for which several machines need a shared folder, and all
other processes then wait for the figures of the first one no longer than for a step
(`mmdetection 11096 <https://github.com/open-mmlab/mmdetection/issues/11096>`_).
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from itertools import chain, zip_longest
from typing import Any

import mmengine.dist.dist as host
import mmengine.dist.utils as host_utils
import torch
from mmengine.device import get_device
from mmengine.dist import get_rank, get_world_size
from mmengine.logging import print_log
from mmengine.registry import MODEL_WRAPPERS
from mmengine.runner import Runner, runner
from torch import distributed, nn
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from ..utils.errors import M2DetError
from ..utils.launchers import was_restarted
from ..utils.processes import (
    SILENCE,
    START,
    STEP,
    gather_at_first,
    is_watched,
    shorten_timeout,
    wait_for_all,
    watch_processes,
)

_init_dist = host_utils.init_dist
_wrap_model = Runner.wrap_model
_collect_results_cpu = host.collect_results_cpu
# What one process may come to much later than the others.
_PATIENT = (
    'all_gather_object',
    'barrier',
    'broadcast_object_list',
    'gather_object',
)


def install() -> None:
    """Take the place of what needs a GPU, a shared folder or haste."""
    runner.init_dist = init_dist
    Runner.wrap_model = _wrap_model_anywhere
    host.collect_results_cpu = _collect_objects
    host.torch_dist = host_utils.torch_dist = _PatientDistributed()


def init_dist(launcher: str, backend: str | None = None, **settings: Any) -> None:
    """Let the processes of a launcher know of each other, and watch each other.

    Args:
        launcher: ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        backend: Of ``torch.distributed``; NCCL on GPUs and gloo elsewhere by default,
            and where the machine has no GPU.
        **settings: Of ``env_cfg.dist_cfg``: ``timeout``, seconds that a process waits
            for the others in a step (45); ``silence``, seconds without a sign of life
            after which a process counts as lost (20); others go to MMEngine.
    """
    on_gpu = get_device() == 'cuda'
    chosen = backend or ('nccl' if on_gpu else 'gloo')
    if chosen == 'nccl' and not on_gpu:
        chosen = 'gloo'
    timeout = settings.pop('timeout', None) or STEP
    silence = settings.pop('silence', None) or SILENCE
    if launcher == 'pytorch' and was_restarted():
        settings.update(_store_of_restart())
    with _no_gpu() if not on_gpu else _own_gpu():
        _init_dist(launcher, backend=chosen, timeout=START, **settings)
    shorten_timeout(timeout)
    watch_processes(silence=silence)
    message = (
        f'{get_world_size()} processes by {chosen}; a step waits {timeout:g} s for '
        f'them, and one is lost after {silence:g} s without a sign of life.'
    )
    print_log(message, logger='current', level=logging.DEBUG)


def _store_of_restart() -> dict[str, Any]:
    """Let processes that torchrun starts once more have names of their own.

    Its store still holds the addresses of those before, and who reads them waits for a
    dead process. On several machines torchrun counts restarts for each of them, so that
    they share no such name.
    """
    if os.environ.get('GROUP_WORLD_SIZE') != '1':
        return {}
    wait = timedelta(seconds=START)
    store, rank, size = next(distributed.rendezvous('env://', timeout=wait))
    prefix = f'm2det/start_{os.environ["TORCHELASTIC_RESTART_COUNT"]}'
    store = distributed.PrefixStore(prefix, store)
    return {'store': store, 'rank': rank, 'world_size': size}


@contextmanager
def _no_gpu() -> Iterator[None]:
    """Let MMEngine set no CUDA device."""
    before = torch.cuda.set_device
    torch.cuda.set_device = lambda _: None
    try:
        yield
    finally:
        torch.cuda.set_device = before


@contextmanager
def _own_gpu() -> Iterator[None]:
    """Stop where a machine has more processes than GPUs."""
    processes = int(os.environ.get('LOCAL_WORLD_SIZE', 1))
    gpus = torch.cuda.device_count()
    if processes > gpus:
        raise M2DetError(
            f'{processes} processes of this machine need a GPU each, and it has '
            f'{gpus}: start {gpus}, or compute on the CPU by --device cpu.'
        )
    yield


@wraps(_wrap_model)
def _wrap_model_anywhere(
    self: Runner, model_wrapper_cfg: dict | None, model: nn.Module
) -> nn.Module:
    on_gpu = get_device() == 'cuda'
    if not self.distributed or on_gpu:
        return _wrap_model(self, model_wrapper_cfg, model)
    _refuse_sync_bn(self.cfg.get('sync_bn'), model)
    settings = dict(model_wrapper_cfg or {})
    kind = settings.setdefault('type', 'MMDistributedDataParallel')
    kind = MODEL_WRAPPERS.get(kind) if isinstance(kind, str) else kind
    if isinstance(kind, type) and issubclass(kind, DistributedDataParallel):
        settings.setdefault('device_ids', None)
        if model_wrapper_cfg is None:
            # As MMEngine without settings.
            unused = self.cfg.get('find_unused_parameters', False)
            settings.update(broadcast_buffers=False, find_unused_parameters=unused)
    elif isinstance(kind, type) and issubclass(kind, FullyShardedDataParallel):
        settings.setdefault('device_id', torch.device('cpu'))
    message = f'The model is wrapped for processes without a GPU ({kind.__name__}).'
    print_log(message, logger='current', level=logging.DEBUG)
    return _wrap_model(self, settings, model)


def _refuse_sync_bn(setting: str | None, model: nn.Module) -> None:
    """Stop at batch norms over all processes, which PyTorch has on GPUs alone.

    Raises:
        M2DetError: One sentence that names what to use instead.
    """
    layers = [
        name
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm) and 'Sync' in type(module).__name__
    ]
    if setting is None and not layers:
        return
    what = f'sync_bn={setting!r}' if setting is not None else f'The SyncBN {layers[0]}'
    raise M2DetError(
        f'{what} needs GPUs, and these processes compute on the '
        f"{get_device().upper()}: leave it out, or take norm_cfg=dict(type='GN', "
        'num_groups=32).'
    )


@wraps(_collect_results_cpu)
def _collect_objects(
    result_part: list, size: int, tmpdir: str | None = None
) -> list | None:
    if not is_watched() or tmpdir is not None:
        return _collect_results_cpu(result_part, size, tmpdir)
    wait_for_all()
    parts = gather_at_first(result_part)
    if get_rank() != 0:
        return None
    # Process r has the images r, r + world size, ...; the last ones may be double.
    rows = chain.from_iterable(zip_longest(*parts))
    return [x for x in rows if x is not None][:size]


class _PatientDistributed:
    """``torch.distributed``, some of whose functions wait for all processes before."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(distributed, name)
        return _patient(found) if name in _PATIENT else found


def _patient(function: Callable) -> Callable:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        wait_for_all()
        return function(*args, **kwargs)

    return call
