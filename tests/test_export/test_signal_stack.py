import ctypes
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from m2det_mmdet.export.runtimes.openvino import OpenVinoFile
from m2det_mmdet.export.signal_stack import _Stack, kept_signal_stack

pytestmark = pytest.mark.skipif(
    sys.platform != 'linux', reason='the form of stack_t is that of Linux'
)


def _place() -> int | None:
    stack = _Stack()
    ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack))
    return stack.place


def test_a_thread_gets_its_stack_back() -> None:
    before, memory = _place(), ctypes.create_string_buffer(1 << 16)

    with kept_signal_stack():
        other = _Stack(ctypes.addressof(memory), 0, len(memory))
        assert ctypes.CDLL(None).sigaltstack(ctypes.byref(other), None) == 0
        assert _place() == ctypes.addressof(memory)

    assert _place() == before


def test_models_that_are_deleted_in_any_order_leave_it(
    tiny_file: Callable[..., Path],
) -> None:
    before, path = _place(), tiny_file('tiny.xml')
    first, second = OpenVinoFile(path), OpenVinoFile(path)

    del first
    assert _place() == before
    del second
    assert _place() == before
