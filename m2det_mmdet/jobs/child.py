"""A process that does jobs of another one, which started it by :mod:`.processes`.

It reads from standard input how it finds modules, the task, and jobs; events go to what
was standard output. What the task prints goes to standard error.
"""

import os
import pickle
import sys
import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any, BinaryIO


def main() -> None:
    """Do jobs until there are no more."""
    source, events = sys.stdin.buffer, os.fdopen(os.dup(1), 'wb')
    os.dup2(2, 1)
    # The process that started this one may have found its modules in places of its own.
    sys.path[:] = pickle.load(source)
    from .events import perform

    task, shared = pickle.load(source)
    items: SimpleQueue = SimpleQueue()
    threading.Thread(target=_read, args=(source, items), daemon=True).start()
    for item in iter(items.get, None):
        for event in perform(task, shared, item):
            pickle.dump(event, events)
            events.flush()


def _read(source: BinaryIO, items: SimpleQueue) -> None:
    """Read what each job is done with.

    Where the process that wrote it has ended, this one does, too: else its job would go
    on beside that of the next command.
    """
    for item in _pickles(source):
        items.put(item)
    os._exit(1)


def _pickles(source: BinaryIO) -> Iterator[Any]:
    while True:
        try:
            yield pickle.load(source)
        except (EOFError, pickle.UnpicklingError):
            return


if __name__ == '__main__':
    main()
