"""What a launcher tells the processes that it starts, by their environment."""

import os

# Of torchrun, Slurm and Open MPI.
_RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
_LOCAL_RANKS = ('LOCAL_RANK', 'SLURM_LOCALID', 'OMPI_COMM_WORLD_LOCAL_RANK')


def is_first_process() -> bool:
    """Whether a launcher started no process before this one."""
    return all(os.environ.get(x, '0') == '0' for x in _RANKS)


def is_first_of_machine() -> bool:
    """Whether a launcher started no process on this machine before this one."""
    return all(os.environ.get(x, '0') == '0' for x in _LOCAL_RANKS)


def was_restarted() -> bool:
    """Whether torchrun has started this process once more, after one has failed."""
    return int(os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)) > 0


def may_restart() -> bool:
    """Whether torchrun would start the processes once more."""
    return int(os.environ.get('TORCHELASTIC_MAX_RESTARTS', 0)) > 0
