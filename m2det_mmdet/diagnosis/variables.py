"""Variables of the environment that change what m2det does."""

import os
import re
from collections.abc import Iterator

from ..utils.texts import one_line
from .findings import Finding, note, ok, problem

# What each does.
_KNOWN = {
    'CUDA_VISIBLE_DEVICES': 'shows these GPUs alone',
    'OMP_NUM_THREADS': 'limits the threads of PyTorch',
    'MKL_NUM_THREADS': 'limits the threads of PyTorch',
    'PYTHONPATH': 'these folders come before what is installed',
    'PYTHONHOME': 'Python looks for its own modules there',
    'LD_LIBRARY_PATH': 'libraries there come before those of the packages',
    'LD_PRELOAD': 'this library is loaded into each program',
    'TORCH_HOME': 'weights are downloaded to it',
    'XDG_CACHE_HOME': 'weights are downloaded below it',
    'MMENGINE_HOME': 'MMEngine keeps its downloads there',
    'NUMBA_CACHE_DIR': 'numba keeps compiled loops there',
    'TRITON_CACHE_DIR': 'Triton keeps compiled kernels there',
    'PYTORCH_CUDA_ALLOC_CONF': 'changes how PyTorch takes memory of a GPU',
    'PYTORCH_ENABLE_MPS_FALLBACK': "what Apple's GPU lacks, the processor computes",
    'HTTP_PROXY': 'downloads go through it',
    'HTTPS_PROXY': 'downloads go through it',
    'http_proxy': 'downloads go through it',
    'https_proxy': 'downloads go through it',
    'NO_PROXY': 'downloads from there go through no proxy',
    'no_proxy': 'downloads from there go through no proxy',
}
# What each costs where it is on.
_SLOW = {
    'CUDA_LAUNCH_BLOCKING': 'each step on a GPU waits for the one before',
    'NUMBA_DISABLE_JIT': 'numba compiles nothing',
    'TRITON_INTERPRET': 'Triton compiles nothing',
}
_OFF = ('', '0')
# Before the name of a host: who asks, and with which password.
_CREDENTIALS = re.compile(r'(?<=//)[^/@\s]*@|^[^/@\s]*@')


def check_variables() -> Iterator[Finding]:
    """Tell the variables that are set, without passwords."""
    known = [name for name in _KNOWN if name in os.environ]
    slow = [name for name in _SLOW if os.environ.get(name, '') not in _OFF]
    for name in known:
        yield note(name, f'{_value(name)}: {_KNOWN[name]}')
    for name in slow:
        yield problem(name, f'{_value(name)}: {_SLOW[name]}', f'`unset {name}`')
    if not known + slow:
        yield ok('variables', 'none is set that changes what m2det does')


def _value(name: str) -> str:
    return one_line(_CREDENTIALS.sub('', os.environ[name])) or 'empty'
