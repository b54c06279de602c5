"""Why something that computes failed."""

import re

import torch

# Colours of a terminal, which numba writes.
_COLOURS = re.compile(r'\x1b\[[\d;]*m')
# What PyTorch and Triton write where they raise a plain RuntimeError.
_NO_MEMORY = ('out of memory', 'not enough memory', "can't allocate memory")


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory was short, of the host or of a device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(words in str(error).lower() for words in _NO_MEMORY)


def reason_of(error: Exception) -> str:
    """Type and message of an error in one line, without what follows the message.

    PyTorch's messages go on with advice. Those of Triton's compiler begin with the
    source.
    """
    message = getattr(error, 'error_message', None) or str(error)
    lines = _COLOURS.sub('', message).splitlines()
    first = next((line.strip() for line in lines if line.strip()), '')
    return f'{type(error).__name__}: {first}'.rstrip(': .')
