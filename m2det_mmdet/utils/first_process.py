"""What one of several processes does for all."""

from collections.abc import Callable
from typing import TypeVar

from mmengine.dist import broadcast_object_list, is_main_process

from .errors import M2DetError

Result = TypeVar('Result')


def in_first_process(call: Callable[[], Result]) -> Result:
    """Call a function in the first process, and return its result in all.

    Raises:
        M2DetError: In all processes, where the function raises one in the first: the
            others would wait for it.
    """
    outcome: list[Result | M2DetError | None] = [None]
    if is_main_process():
        try:
            outcome = [call()]
        except M2DetError as error:
            outcome = [error]
    broadcast_object_list(outcome)
    if isinstance(outcome[0], M2DetError):
        raise outcome[0]
    return outcome[0]
