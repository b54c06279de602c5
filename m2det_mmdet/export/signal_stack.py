"""The stack that a thread's signal handlers run on."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager


class _Stack(ctypes.Structure):
    """The system's ``stack_t``, as of Linux."""

    _fields_ = (
        ('place', ctypes.c_void_p),
        ('flags', ctypes.c_int),
        ('size', ctypes.c_size_t),
    )


@contextmanager
def kept_signal_stack() -> Iterator[None]:
    """Give the thread back the stack for signals that it had before the block.

    OpenVINO 2026.4 gives the thread that compiles a model one that goes with the model,
    and then gives back the one before, which may be gone: of two models, if the first
    one is deleted first. The next signal, as of a process that ends, would end this
    process by a segmentation fault. With its own stack before each model a thread gets
    its own back.
    """
    change = getattr(ctypes.CDLL(None), 'sigaltstack', None)
    if change is None:
        yield
        return
    stack = _Stack()
    change(None, ctypes.byref(stack))
    try:
        yield
    finally:
        change(ctypes.byref(stack), None)
